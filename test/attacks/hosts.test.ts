import { describe, expect, test } from 'vitest';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startAttacked, type Attacked } from './bystander.ts';
import { httpGet, httpPost, sse, sseGet } from './doors.ts';
import { postOf, sendRaw } from './raw-http.ts';

const OPERATION = '{"query":"{ __typename }"}';
const KEYS = { API_KEYS: 'ada:key-of-ada-with-enough-characters' };
const AUTHORIZATION = 'Bearer key-of-ada-with-enough-characters';

/** Hosts that a page with a rebound name, or somebody who writes requests by hand, may ask for. */
const STRANGERS = [
  'evil.example',
  'evil.example:4000',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'localhost.',
  'gateway.example.test.evil.example',
  '127.0.0.1@evil.example',
  'evil.example@127.0.0.1',
  'evil.example#@127.0.0.1',
  '127.0.0.1/evil.example',
  '127.0.0.1?evil.example',
  '127.0.0.1#evil.example',
  '127.0.0.1\\evil.example',
  '127.0.0.1:99999',
  '127.0.0.1:port',
  '0.0.0.0',
  '192.168.0.7',
  '[::2]',
  '[::1',
  '',
];

const FRIENDS = [
  '127.0.0.1',
  '127.0.0.1:1',
  '127.1.2.3',
  'LOCALHOST:65535',
  '[::1]',
  '[::1]:1',
  'gateway.example.test:444',
];

const PATHS = ['/graphql', '/health', '/ready', '/sandbox/files', '/sandbox/files/x.mp4', '/', '/nowhere'];

async function statusOf({ gateway }: Attacked, target: string, ...lines: readonly string[]): Promise<number> {
  return (await sendRaw(gateway.app.port, postOf(target, OPERATION, ...lines))).status;
}

/** Whether a socket opens under this name; it may be refused with 403 only. */
async function opens({ gateway }: Attacked, headers: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    await openGraphqlWs(gateway.graphqlUrl, { headers });
    return true;
  } catch (error) {
    expect(String(error)).toContain('403');
    return false;
  }
}

describe('an open gateway', () => {
  test('does not answer to any other host, at no path and on no door', async () => {
    const attacked = await startAttacked();
    for (const host of STRANGERS) {
      const asked = () => Promise.all(PATHS.map((path) => statusOf(attacked, path, `Host: ${host}`)));
      expect(await attacked.withstands(asked)).toEqual(PATHS.map(() => 421));
      // What the client library itself does not send is refused without it.
      if (host !== '') expect(await attacked.withstands(() => opens(attacked, { host }))).toBe(false);
      expect(await statusOf(attacked, '/webhooks/kie/a/b', `Host: ${host}`)).toBe(401);
    }
  });

  test('answers to every name of this machine and to its public one, whatever the port', async () => {
    const attacked = await startAttacked();
    for (const host of FRIENDS) {
      expect([host, await statusOf(attacked, '/graphql', `Host: ${host}`)]).toEqual([host, 200]);
      expect(await opens(attacked, { host })).toBe(true);
    }
  });

  test('goes by the host of an address that is written out whole, whatever the header says', async () => {
    const attacked = await startAttacked();
    const status = (target: string, host: string) =>
      attacked.withstands(() => statusOf(attacked, target, `Host: ${host}`));
    expect(await status('http://evil.example/graphql', '127.0.0.1')).toBe(421);
    expect(await status('http://127.0.0.1@evil.example/graphql', '127.0.0.1')).toBe(421);
    // A path is not resolved: as without the host before it, this is no page.
    expect(await status('http://evil.example/webhooks/../graphql', '127.0.0.1')).toBe(404);
    expect(await status(`http://127.0.0.1?query=${'x'.repeat(4000)}`, 'evil.example')).not.toBe(421);
    expect(await status('http://127.0.0.1/graphql', '127.0.0.1')).toBe(200);
  });

  test('takes no address of a foreign host for anything but a callback', async () => {
    const attacked = await startAttacked();
    for (const path of [
      '/webhooks/../graphql',
      '/webhooks/%2e%2e/graphql',
      '/webhooks/..%2fgraphql',
      '/webhooks//graphql',
    ])
      expect([401, 404]).toContain(await statusOf(attacked, path, 'Host: evil.example'));
  });

  test('does not believe a proxy that nobody trusts', async () => {
    const attacked = await startAttacked();
    const lines = ['Host: evil.example', 'X-Forwarded-Host: 127.0.0.1', 'Forwarded: host=127.0.0.1'];
    expect(await attacked.withstands(() => statusOf(attacked, '/graphql', ...lines))).toBe(421);
    expect(await opens(attacked, { host: 'evil.example', 'x-forwarded-host': '127.0.0.1' })).toBe(false);
  });

  test('believes the last name that a trusted proxy adds, and no earlier one', async () => {
    const attacked = await startAttacked({ env: { TRUSTED_PROXIES: '127.0.0.1' } });
    for (const [named, status] of [
      ['evil.example', 421],
      ['127.0.0.1, evil.example', 421],
      ['evil.example, 127.0.0.1', 200],
    ] as const) {
      const lines = ['Host: 127.0.0.1', `X-Forwarded-Host: ${named}`];
      expect([named, await attacked.withstands(() => statusOf(attacked, '/graphql', ...lines))]).toEqual([
        named,
        status,
      ]);
      expect(await opens(attacked, { 'x-forwarded-host': named })).toBe(status === 200);
    }
  });
});

test('a gateway with API keys answers to any name', async () => {
  const attacked = await startAttacked({ env: KEYS, owner: 'ada', authorization: AUTHORIZATION });
  const lines = ['Host: evil.example', `Authorization: ${AUTHORIZATION}`];
  expect(await attacked.withstands(() => statusOf(attacked, '/graphql', ...lines))).toBe(200);
  expect(await opens(attacked, { host: 'evil.example', authorization: AUTHORIZATION })).toBe(true);
});

describe('with a limit of sockets for each address', () => {
  const env = { MAX_SOCKETS_PER_ADDRESS: '2' };
  const from = (attacked: Attacked, addresses: string) =>
    openGraphqlWs(attacked.gateway.graphqlUrl, { headers: { 'x-forwarded-for': addresses } });

  test('nobody gets more by naming others when no proxy is trusted', async () => {
    const attacked = await startAttacked({ env });
    await from(attacked, '203.0.113.1');
    for (const address of ['203.0.113.2', '203.0.113.3, 127.0.0.1'])
      await expect(attacked.withstands(() => from(attacked, address))).rejects.toThrow('429');
  });

  test('nobody gets more by naming others in front of what a trusted proxy adds', async () => {
    const attacked = await startAttacked({ env: { ...env, TRUSTED_PROXIES: '127.0.0.1' } });
    await from(attacked, '203.0.113.1');
    await from(attacked, '198.51.100.1, 203.0.113.1');
    for (const forged of ['203.0.113.1', '198.51.100.2, 203.0.113.1'])
      await expect(attacked.withstands(() => from(attacked, forged))).rejects.toThrow('429');
    await from(attacked, '203.0.113.2');
  });
});

const EVIL = [
  'https://evil.example',
  'null',
  'file://',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'http://127.0.0.1@evil.example',
  'https://gateway.example.test.evil.example',
  'https://gateway.example.test:8443',
  'http://gateway.example.test',
  'https://evil-gateway.example.test',
  'http://[::ffff:1.2.3.4]',
  'http://127.0.0.1, https://evil.example',
];

/** One that is answered, and what is refused while it is parsed, and while it is checked. */
const QUERIES = ['{ __typename }', '{', `{ ${'a: __typename '.repeat(16)} }`];

const SECURITY = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

test('a page of a foreign origin may read neither answers nor errors, and opens no socket', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const [index, origin] of EVIL.entries()) {
    for (const door of [httpPost, httpGet, sse, sseGet]) {
      const query = QUERIES[index % QUERIES.length] ?? '';
      const { headers } = await withstands(() => door.send(gateway.graphqlUrl, { query }, { origin }));
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(headers.get('vary')).toContain('Origin');
    }
    await expect(withstands(() => openGraphqlWs(gateway.graphqlUrl, { origin }))).rejects.toThrow('403');
  }
});

test('a foreign page may not read the refusal of a body', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const [body, type] of [
    ['x'.repeat(300_000), 'application/json'],
    ['query={__typename}', 'application/x-www-form-urlencoded'],
    ['{', 'application/json'],
  ] as const) {
    const headers = { 'content-type': type, origin: 'https://evil.example' };
    const answer = await withstands(() => fetch(gateway.graphqlUrl, { method: 'POST', headers, body }));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    await answer.text();
  }
});

test('every answer says that it is what it says, in no frame, and that its address is private', async () => {
  const { gateway, withstands } = await startAttacked();
  for (const path of [
    '/graphql?query={__typename}',
    '/graphql?query={',
    '/graphql',
    '/health',
    '/ready',
    '/nowhere',
    '/webhooks/kie/a/b',
    '/%zz',
  ])
    for (const accept of ['application/json', 'text/event-stream', 'text/html']) {
      const answer = await withstands(() => fetch(gateway.url + path, { headers: { accept } }));
      await answer.text();
      expect([path, Object.fromEntries(answer.headers)]).toEqual([path, expect.objectContaining(SECURITY)]);
    }
});

test("the page runs its own scripts only, talks to nobody else, and stands in nobody's frame", async () => {
  const { gateway, withstands } = await startAttacked();
  const answer = await withstands(() => fetch(gateway.graphqlUrl, { headers: { accept: 'text/html' } }));
  const page = await answer.text();
  const policy = answer.headers.get('content-security-policy') ?? '';
  const parts: Readonly<Record<string, string>> = Object.fromEntries(
    policy.split('; ').map((part) => [part.split(' ')[0] ?? '', part] as const),
  );
  expect(parts).toMatchObject({
    'default-src': "default-src 'none'",
    'connect-src': "connect-src 'self'",
    'frame-ancestors': "frame-ancestors 'none'",
    'base-uri': "base-uri 'none'",
    'form-action': "form-action 'none'",
  });
  expect(parts['script-src']).toBe("script-src 'self'");
  expect(parts['worker-src']).toBe("worker-src 'self'");
  expect(policy).not.toMatch(/unsafe-eval|https?:|wss?:|blob:|\*/);
  // All that is allowed inline are styles.
  expect(policy.match(/'unsafe-[a-z-]+'/g)).toEqual(["'unsafe-inline'"]);
  expect(parts['style-src']).toContain("'unsafe-inline'");
  expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|\bon[a-z]+=|javascript:/i);
});

test('what is asked of the page is not written into it', async () => {
  const { gateway, withstands } = await startAttacked();
  const evil = '</script><script>alert(1)</script>';
  const search = new URLSearchParams({ query: evil, variables: evil, [evil]: evil }).toString();
  const marks = search.replaceAll('query=', 'mark=');
  for (const url of [
    `${gateway.graphqlUrl}?${search}`,
    `${gateway.graphqlUrl}?${marks}`,
    `${gateway.url}/${encodeURIComponent(evil)}?${search}`,
  ]) {
    const answer = await withstands(() => fetch(url, { headers: { accept: 'text/html' } }));
    expect(await answer.text()).not.toContain('alert(1)');
  }
});
