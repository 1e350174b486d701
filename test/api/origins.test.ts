import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { postOf, sendRaw } from '../attacks/raw-http.ts';

const ALLOWED = 'https://app.example.com';
const APP = 'capacitor://app.example.com';
const BODY = JSON.stringify({ query: '{ __typename }' });

async function start(env: Readonly<Record<string, string>> = {}): Promise<Gateway> {
  return startGateway({
    provider: await startFakeProvider(),
    env: { ALLOWED_ORIGINS: `${ALLOWED},${APP}`, ...env },
  });
}

/** For whom the answer to a page of this origin may be read: the CORS header; null without one. */
async function readableBy(gateway: Gateway, origin?: string): Promise<string | null> {
  const response = await fetch(gateway.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(origin !== undefined && { origin }) },
    body: BODY,
  });
  expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  return response.headers.get('access-control-allow-origin');
}

function preflight(gateway: Gateway, origin: string): Promise<Response> {
  return fetch(gateway.graphqlUrl, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
}

async function connects(gateway: Gateway, origin?: string): Promise<boolean> {
  try {
    const socket = await openGraphqlWs(gateway.graphqlUrl, origin === undefined ? {} : { origin });
    expect(await socket.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
    return true;
  } catch (error) {
    expect(String(error)).toContain('Unexpected server response: 403');
    return false;
  }
}

const FRIENDS = [
  ['of an allowed origin', ALLOWED],
  ['of an allowed app', APP],
  ["of the gateway's public address", 'https://gateway.example.test'],
  ['of this machine, by name', 'http://localhost:5173'],
  ['of this machine, by number', 'http://127.0.0.1:3000'],
  ['of this machine, by IPv6', 'http://[::1]:8080'],
  ['of this machine, encrypted', 'https://localhost'],
] as const;

const STRANGERS = [
  ['another site', 'https://evil.example'],
  ['an opaque origin, as of a sandboxed frame', 'null'],
  ['a file', 'file://'],
  ['another app of an allowed name', 'tauri://app.example.com'],
  ['a longer name that begins like the allowed one', `${ALLOWED}.evil.example`],
  ['a name that ends like the allowed one', 'https://evil-app.example.com'],
  ['the allowed name without encryption', 'http://app.example.com'],
  ['the allowed name on another port', `${ALLOWED}:8443`],
  ['a name that begins like this machine', 'http://localhost.evil.example'],
  ['a name that begins like a loopback address', 'http://127.0.0.1.evil.example'],
  ['a private address that is not this machine', 'http://192.168.0.7'],
  ['no origin at all', 'evil'],
] as const;

describe('a page', () => {
  it.each(FRIENDS)('%s may call, ask beforehand, and open a socket', async (_, origin) => {
    const gateway = await start();
    expect(await readableBy(gateway, origin)).toBe(origin);
    const asked = await preflight(gateway, origin);
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': expect.stringContaining('POST') as string,
      'access-control-allow-headers': 'authorization,content-type',
    });
    expect(await connects(gateway, origin)).toBe(true);
  });

  it.each(STRANGERS)('of %s may not', async (_, origin) => {
    const gateway = await start();
    expect(await readableBy(gateway, origin)).toBeNull();
    const asked = await preflight(gateway, origin);
    const names = [...asked.headers.keys()].filter((name) => name.startsWith('access-control-'));
    expect(names).toEqual([]);
    expect(await connects(gateway, origin)).toBe(false);
  });

  it('of the gateway itself may call under whatever address it was loaded from', async () => {
    const gateway = await start();
    const own = [gateway.url, gateway.url.replace('127.0.0.1', 'localhost')];
    for (const origin of own) {
      expect(await readableBy(gateway, origin)).toBe(origin);
      expect(await connects(gateway, origin)).toBe(true);
    }
  });
});

describe('a refusal', () => {
  const KEYS = { API_KEYS: 'ada:key-of-ada-with-enough-characters' };
  it.each<[string, number, string, readonly string[]]>([
    ['a compressed body', 415, '/graphql', ['Host: x', 'Content-Encoding: gzip']],
    ['a host that is none', 400, '/graphql', ['Host: a b']],
    ['no key', 401, '/graphql', ['Host: x']],
    ['an unknown address', 404, '/nowhere', ['Host: x']],
    ['another method', 405, '/health', ['Host: x']],
    ['an address that cannot be read', 400, '/%zz', ['Host: x']],
  ])('of %s (%i) can be read by an allowed page, and by no other', async (_, status, path, lines) => {
    const { app } = await start(KEYS);
    for (const [origin, isAllowed] of [
      [ALLOWED, true],
      ['https://evil.example', false],
    ] as const) {
      const answer = await sendRaw(app.port, postOf(path, BODY, ...lines, `Origin: ${origin}`));
      expect(answer.status).toBe(status);
      const [, readers] = /^access-control-allow-origin: (.*)$/im.exec(answer.head) ?? [];
      expect(readers).toBe(isAllowed ? origin : undefined);
      expect(/^access-control-expose-headers: .*retry-after/im.test(answer.head)).toBe(isAllowed);
    }
  });
});

describe('a caller that is no page, and so has no origin', () => {
  it('may call and open a socket', async () => {
    const gateway = await start();
    expect(await readableBy(gateway)).toBeNull();
    expect(await connects(gateway)).toBe(true);
  });
});

describe('a gateway that is open to other machines', () => {
  it('does not trust the pages of its own machine', async () => {
    const gateway = await start({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' });
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1:3000']) {
      expect(await readableBy(gateway, origin)).toBeNull();
      expect(await connects(gateway, origin)).toBe(false);
    }
    for (const origin of [ALLOWED, gateway.url]) {
      expect(await readableBy(gateway, origin)).toBe(origin);
      expect(await connects(gateway, origin)).toBe(true);
    }
  });
});

describe('a page of the gateway itself, whose port goes without saying,', () => {
  /** Whether a page of this origin may call a gateway that is asked for by these headers. */
  async function mayCall(origin: string, headers: Readonly<Record<string, string>>): Promise<boolean[]> {
    const gateway = await start({
      HOST: '0.0.0.0',
      ALLOW_ANONYMOUS: 'true',
      TRUSTED_PROXIES: '127.0.0.1',
      ALLOWED_ORIGINS: 'https://shop.example',
    });
    const opened = openGraphqlWs(gateway.graphqlUrl, { origin, headers }).then(
      () => true,
      () => false,
    );
    const lines = Object.entries({ origin, ...headers }).map(([name, value]) => `${name}: ${value}`);
    const { head } = await sendRaw(gateway.app.port, postOf('/graphql', BODY, ...lines));
    return [
      await opened,
      head.toLowerCase().includes(`access-control-allow-origin: ${origin.toLowerCase()}`),
    ];
  }
  const YES = [true, true];
  const NO = [false, false];

  it.each([
    ['https://app.example', { host: 'app.example:443' }, YES],
    ['http://app.example', { host: 'app.example:80' }, YES],
    ['https://app.example', { host: 'APP.example' }, YES],
    ['https://app.example:8443', { host: 'app.example:8443' }, YES],
    ['https://app.example', { host: '127.0.0.1', 'x-forwarded-host': 'app.example:443' }, YES],
    ['https://app.example', { host: 'app.example:443', 'x-forwarded-proto': 'https' }, YES],
    ['https://SHOP.example:443', { host: 'app.example' }, YES],
    ['http://app.example', { host: 'app.example:443' }, NO],
    ['https://app.example', { host: 'app.example:80' }, NO],
    ['https://app.example', { host: 'app.example:8443' }, NO],
    ['http://app.example', { host: 'app.example', 'x-forwarded-proto': 'https' }, NO],
    ['https://app.example', { host: 'app.example', 'x-forwarded-proto': 'https, http' }, NO],
    ['https://shop.example:8443', { host: 'app.example' }, NO],
  ])('%s at %o: may call over a socket and HTTP: %o', async (origin, headers, may) => {
    expect(await mayCall(origin, headers as Record<string, string>)).toEqual(may);
  });
});
