import { expect, test } from 'vitest';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startAttacked } from './bystander.ts';
import { httpGet, httpPost, sse, sseGet } from './doors.ts';

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

test.each([
  [
    'a body that is too large',
    { body: 'x'.repeat(300_000), headers: { 'content-type': 'application/json' } },
  ],
  [
    'a form',
    { body: 'query={__typename}', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  ],
  ['no JSON', { body: '{', headers: { 'content-type': 'application/json' } }],
])('a foreign page may not read the refusal of %s', async (_, request) => {
  const { gateway, withstands } = await startAttacked();
  const headers = { ...request.headers, origin: 'https://evil.example' };
  const answer = await withstands(() => fetch(gateway.graphqlUrl, { ...request, method: 'POST', headers }));
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  await answer.text();
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
