import { describe, expect, test } from 'vitest';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { credit } from '../kit/kie.ts';
import { ROOT } from '../kit/process.ts';
import { startAttacked, type AttackedOptions } from './bystander.ts';
import { headOf, postOf, sendInTwo, sendRaw, type RawAnswer } from './raw-http.ts';

const KEY = 'key-of-ada-with-enough-characters';
const OPEN: AttackedOptions = {};
const GUARDED: AttackedOptions = {
  env: { API_KEYS: `ada:${KEY}` },
  owner: 'ada',
  authorization: `Bearer ${KEY}`,
};
const OPERATION = '{"query":"{ __typename }"}';
const PATHS = [
  '/graphql',
  '/uploads',
  '/webhooks/kie/a/b',
  '/health',
  '/ready',
  '/metrics',
  '/',
  '/assets/x.js',
  '/tasks/x',
  '/sandbox/files/x',
  '/nowhere',
];
const HOST = 'Host: localhost';
const CLOSE = 'Connection: close';

const TARGETS = [
  'http://[::1/graphql',
  'http:///graphql',
  'ftp://localhost/graphql',
  '//',
  '//[',
  '/graphql?query=%',
  '/graphql?query=%ff',
  '/graphql?query=%00',
  '/graphql#x',
  '/graphql%00',
  '/%ff',
  '/%zz',
  '/tasks/%E0%A4%A',
  '/webhooks/%zz',
  '/webhooks/kie/%00/%00',
  '/assets/%00',
  '/assets/..%2f..%2fpackage.json',
  '/sandbox/files/%00',
  '/sandbox/files/..%2f..%2fpackage.json',
];
const METHODS = ['HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'M-SEARCH', 'QUERY', 'PATCH', 'DELETE'];
const ODD_HOSTS = ['a b', 'a:99999', 'a:port', '[::1', 'a/b', 'a@b', '[]', '%', '<script>'];

function expectNoTrouble(what: string, { body, head, status }: RawAnswer): void {
  expect([what, status >= 200 && status < 500]).toEqual([what, true]);
  const all = head + body;
  expect([what, all.includes(ROOT), /\n\s+at .*:\d+:\d+/.test(all)]).toEqual([what, false, false]);
}

function expectProblem(what: string, answer: RawAnswer): void {
  expectNoTrouble(what, answer);
  expect([what, answer.head]).toEqual([what, expect.stringContaining('application/problem+json')]);
  expect(JSON.parse(answer.body)).toMatchObject({
    status: answer.status,
    hint: expect.any(String) as string,
  });
}

describe.each([
  ['an open gateway', OPEN],
  ['a gateway with keys', GUARDED],
])('%s', (_, options) => {
  test('serves or refuses every address and method, and shows nothing of its inside', async () => {
    const { gateway, provider, withstands } = await startAttacked(options);
    provider.always('credit', credit(42));
    const starts = [
      ...TARGETS.map((target) => `GET ${target}`),
      ...METHODS.flatMap((method) => PATHS.map((path) => `${method} ${path}`)),
      'OPTIONS *',
    ];
    for (const start of starts)
      expectNoTrouble(start, await withstands(() => sendRaw(gateway.app.port, headOf(start, HOST, CLOSE))));
  });

  test('refuses a host that is none, at every path but that of callbacks, which have tokens', async () => {
    const { gateway, withstands } = await startAttacked(options);
    for (const host of ODD_HOSTS)
      for (const path of PATHS) {
        const request = postOf(path, OPERATION, `Host: ${host}`);
        const answer = await withstands(() => sendRaw(gateway.app.port, request));
        expectProblem(`${path} of ${host}`, answer);
        const expected = path.startsWith('/webhooks/') ? 401 : options === OPEN ? 421 : 400;
        expect([path, host, answer.status]).toEqual([path, host, expected]);
      }
  });

  test('answers an address that is written out whole as the same one without its host', async () => {
    const { gateway } = await startAttacked(options);
    const { port } = gateway.app;
    for (const path of PATHS) {
      const short = await sendRaw(port, postOf(path, OPERATION, HOST));
      const whole = await sendRaw(port, postOf(`http://localhost:${port}${path}`, OPERATION, HOST));
      expect([path, whole.status, whole.body]).toEqual([path, short.status, short.body]);
    }
  });
});

test('refusals at /graphql have errors as well, for clients that look for nothing else', async () => {
  const { gateway } = await startAttacked(GUARDED);
  for (const line of ['Host: a b', `${HOST}\r\nContent-Encoding: gzip`]) {
    const { body, status } = await sendRaw(gateway.app.port, postOf('/graphql', OPERATION, line));
    const { detail, errors } = JSON.parse(body) as { detail: string; errors: unknown };
    expect(status).toBe(line.includes('gzip') ? 415 : 400);
    expect(errors).toEqual([
      { message: detail, extensions: { code: 'BAD_REQUEST', hint: expect.any(String) as string } },
    ]);
  }
});

test('an address that takes another method says which, with 405, and to OPTIONS with 204', async () => {
  const { gateway, provider } = await startAttacked();
  provider.always('credit', credit(42));
  const allowed: Readonly<Record<string, string>> = {
    '/graphql': 'GET, POST',
    '/uploads': 'POST',
    '/health': 'GET, HEAD',
    '/metrics': 'GET, HEAD',
  };
  const answers = async (path: string) => {
    const told: unknown[] = [];
    for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'PATCH']) {
      const answer = await sendRaw(gateway.app.port, headOf(`${method} ${path}`, HOST, CLOSE));
      if (method !== 'OPTIONS') expectProblem(`${method} ${path}`, answer);
      const [, allow] = /^allow: (.*)$/im.exec(answer.head) ?? [];
      told.push([path, method, answer.status, allow]);
    }
    return told;
  };
  for (const [path, allow] of Object.entries(allowed))
    expect(await answers(path)).toEqual([
      [path, 'OPTIONS', 204, allow],
      ...['TRACE', 'PROPFIND', 'QUERY', 'PATCH'].map((method) => [path, method, 405, allow]),
    ]);
  for (const method of ['GET', 'POST', 'QUERY', 'PATCH']) {
    const answer = await sendRaw(gateway.app.port, headOf(`${method} /nowhere`, HOST, CLOSE));
    expectProblem(method, answer);
    expect([method, answer.status]).toEqual([method, 404]);
  }
});

test('a compressed body is refused with 415 and how to send it', async () => {
  const { gateway } = await startAttacked();
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  const answer = await fetch(gateway.graphqlUrl, { method: 'POST', headers, body: OPERATION });
  expect([answer.status, answer.headers.get('accept-encoding')]).toEqual([415, 'identity']);
  expect(await answer.json()).toMatchObject({ hint: 'Send it as it is, without Content-Encoding.' });
  const plain = { ...headers, 'content-encoding': 'identity' };
  expect((await fetch(gateway.graphqlUrl, { method: 'POST', headers: plain, body: OPERATION })).status).toBe(
    200,
  );
});

test('the gateway is no proxy, and says so', async () => {
  const { gateway } = await startAttacked();
  expectProblem('CONNECT', await sendRaw(gateway.app.port, headOf('CONNECT example.com:443', HOST)));
});

describe('an upgrade to anything but a WebSocket', () => {
  const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'];

  test('is ignored: at every path, with and without a body, the answer is that to the same request without it', async () => {
    const { gateway, provider, withstands } = await startAttacked();
    provider.always('credit', credit(42));
    const { port } = gateway.app;
    const ask = (start: string, body: string, ...lines: readonly string[]) => {
      const length = body === '' ? [] : [`Content-Length: ${body.length}`, 'Content-Type: application/json'];
      // Two in a row over one connection, which the second one closes.
      const first = headOf(start, HOST, ...lines, ...length) + body;
      const last = headOf(start, HOST, ...length, CLOSE) + body;
      return withstands(() => sendInTwo(port, first, last));
    };
    for (const path of PATHS)
      for (const [method, body] of [
        ['GET', ''],
        ['POST', OPERATION],
      ] as const) {
        const start = `${method} ${path}`;
        expect([start, await ask(start, body, ...H2C)]).toEqual([start, await ask(start, body)]);
      }
  });

  test.each(['h2c', 'TLS/1.0', 'h2c, foo'])('is answered as without it, whatever it is: %s', async (to) => {
    const { gateway } = await startAttacked();
    const request = headOf('GET /health', HOST, 'Connection: Upgrade', `Upgrade: ${to}`);
    expect(await sendInTwo(gateway.app.port, request, headOf('GET /nowhere', HOST, CLOSE))).toEqual([
      200, 404,
    ]);
  });

  test('keeps nobody from opening a WebSocket', async () => {
    const { gateway } = await startAttacked();
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    expect(await socket.subscribe({ query: '{ __typename }' }).data()).toEqual({ __typename: 'Query' });
  });
});
