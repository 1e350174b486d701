import { expect, it } from 'vitest';
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
  const asked = 'access-control-request-';
  const headers = { origin, [`${asked}method`]: 'POST', [`${asked}headers`]: 'authorization,content-type' };
  return fetch(gateway.graphqlUrl, { method: 'OPTIONS', headers });
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

it('allowed pages, and pages of this machine and of the public address, may call, preflight and open sockets', async () => {
  const gateway = await start();
  for (const origin of [
    ALLOWED,
    APP,
    'https://gateway.example.test',
    'http://localhost:5173',
    'http://127.0.0.1:3000',
    'http://[::1]:8080',
    'https://localhost',
    gateway.url,
    gateway.url.replace('127.0.0.1', 'localhost'),
  ]) {
    expect(await readableBy(gateway, origin)).toBe(origin);
    const asked = await preflight(gateway, origin);
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': expect.stringContaining('POST') as string,
      'access-control-allow-headers': 'authorization,content-type',
    });
    expect(await connects(gateway, origin), origin).toBe(true);
  }
});

it('a caller without an origin is no page: it may call and open a socket', async () => {
  const gateway = await start();
  expect(await readableBy(gateway)).toBeNull();
  expect(await connects(gateway)).toBe(true);
});

it('pages of other origins may do nothing of that', async () => {
  const gateway = await start();
  for (const origin of [
    'https://evil.example',
    // An opaque origin, as of a sandboxed frame.
    'null',
    'file://',
    'tauri://app.example.com',
    `${ALLOWED}.evil.example`,
    'https://evil-app.example.com',
    'http://app.example.com',
    `${ALLOWED}:8443`,
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://192.168.0.7',
    'evil',
  ]) {
    expect(await readableBy(gateway, origin), origin).toBeNull();
    const names = [...(await preflight(gateway, origin)).headers.keys()];
    expect(
      names.filter((name) => name.startsWith('access-control-')),
      origin,
    ).toEqual([]);
    expect(await connects(gateway, origin), origin).toBe(false);
  }
});

it('a gateway that is open to other machines does not trust the pages of its own machine', async () => {
  const gateway = await start({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' });
  for (const [origin, isTrusted] of [
    ['http://localhost:5173', false],
    ['http://127.0.0.1:3000', false],
    [ALLOWED, true],
    [gateway.url, true],
  ] as const) {
    expect(await readableBy(gateway, origin)).toBe(isTrusted ? origin : null);
    expect(await connects(gateway, origin), origin).toBe(isTrusted);
  }
});

it('an allowed page can read a refusal, and no other page can', async () => {
  const { app } = await start({ API_KEYS: 'ada:key-of-ada-with-enough-characters' });
  for (const [status, path, ...lines] of [
    [415, '/graphql', 'Host: x', 'Content-Encoding: gzip'],
    [400, '/graphql', 'Host: a b'],
    [401, '/graphql', 'Host: x'],
    [404, '/nowhere', 'Host: x'],
    [405, '/health', 'Host: x'],
    [400, '/%zz', 'Host: x'],
  ] as const)
    for (const origin of [ALLOWED, 'https://evil.example']) {
      const answer = await sendRaw(app.port, postOf(path, BODY, ...lines, `Origin: ${origin}`));
      expect(answer.status).toBe(status);
      const [, readers] = /^access-control-allow-origin: (.*)$/im.exec(answer.head) ?? [];
      expect(readers).toBe(origin === ALLOWED ? origin : undefined);
      expect(/^access-control-expose-headers: .*retry-after/im.test(answer.head)).toBe(origin === ALLOWED);
    }
});

it('a page of the gateway itself may call it, whether or not the default port is named', async () => {
  const gateway = await start({
    HOST: '0.0.0.0',
    ALLOW_ANONYMOUS: 'true',
    TRUSTED_PROXIES: '127.0.0.1',
    ALLOWED_ORIGINS: 'https://shop.example',
  });
  const forwarded = (host: string, proto: string) => ({ host, 'x-forwarded-proto': proto });
  for (const [origin, headers, may] of [
    ['https://app.example', { host: 'app.example:443' }, true],
    ['http://app.example', { host: 'app.example:80' }, true],
    ['https://app.example', { host: 'APP.example' }, true],
    ['https://app.example:8443', { host: 'app.example:8443' }, true],
    ['https://app.example', { host: '127.0.0.1', 'x-forwarded-host': 'app.example:443' }, true],
    ['https://app.example', forwarded('app.example:443', 'https'), true],
    ['https://SHOP.example:443', { host: 'app.example' }, true],
    ['http://app.example', { host: 'app.example:443' }, false],
    ['https://app.example', { host: 'app.example:80' }, false],
    ['https://app.example', { host: 'app.example:8443' }, false],
    ['http://app.example', forwarded('app.example', 'https'), false],
    ['https://app.example', forwarded('app.example', 'https, http'), false],
    ['https://shop.example:8443', { host: 'app.example' }, false],
  ] as const) {
    const opened = openGraphqlWs(gateway.graphqlUrl, {
      origin,
      headers,
    });
    const connected = await opened.then(
      () => true,
      () => false,
    );
    const lines = Object.entries({ origin, ...headers }).map(([name, value]) => `${name}: ${value}`);
    const { head } = await sendRaw(gateway.app.port, postOf('/graphql', BODY, ...lines));
    const isReadable = head.toLowerCase().includes(`access-control-allow-origin: ${origin.toLowerCase()}`);
    expect([connected, isReadable], `${origin} at ${JSON.stringify(headers)}`).toEqual([may, may]);
  }
});
