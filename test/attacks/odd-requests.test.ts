import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { credit } from '../kit/kie.ts';
import { ROOT } from '../kit/process.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
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

  test('is answered as without it, whatever it is', async () => {
    const { gateway } = await startAttacked();
    for (const to of ['h2c', 'TLS/1.0', 'h2c, foo']) {
      const request = headOf('GET /health', HOST, 'Connection: Upgrade', `Upgrade: ${to}`);
      expect(await sendInTwo(gateway.app.port, request, headOf('GET /nowhere', HOST, CLOSE))).toEqual([
        200, 404,
      ]);
    }
  });
});

const QUERY = JSON.stringify({ query: '{ task(id: "no-such-task") { id } }' });
const TYPE = 'Content-Type: application/json';

function post(json: string, ...lines: readonly string[]): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return headOf('POST /graphql', HOST, TYPE, length, ...lines) + json;
}

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  return socket;
}

test('an operation is begun when the answer to the one before it on the connection is out', async () => {
  const { gateway, held } = await startHeldGateway();
  const first = held.holdRead('find');
  const second = held.holdRead('find');
  const answers = sendRaw(gateway.app.port, post(QUERY) + post(QUERY) + post('{}', 'Connection: close'));
  await first.reached;
  // Whoever asks over another connection is answered in the meantime.
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  expect(held.reads('find')).toBe(1);
  first.release();
  await second.reached;
  second.release();
  const { body, head } = await answers;
  expect([head, body].join('\r\n').match(/HTTP\/1\.1 \d+|"task":null|"errors"/g)).toEqual([
    'HTTP/1.1 200',
    '"task":null',
    'HTTP/1.1 200',
    '"task":null',
    expect.stringMatching(/^HTTP\/1\.1 (?:200|400)$/),
    '"errors"',
  ]);
});

test('a hundred requests in one go are answered in order', async () => {
  const { gateway } = await startHeldGateway();
  const paths = Array.from({ length: 100 }, (_, index) =>
    index % 3 === 0 ? '/health' : `/nowhere/${index}`,
  );
  const requests = paths.map((path) => headOf(`GET ${path}`, HOST));
  const last = headOf('GET /health', HOST, 'Connection: close');
  const { body, head } = await sendRaw(gateway.app.port, requests.join('') + last);
  const statuses = [...`${head}\r\n\r\n${body}`.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  expect(statuses).toEqual([...paths, '/health'].map((path) => (path === '/health' ? '200' : '404')));
});

test('bodies of requests that wait are read when it is their turn', async () => {
  const { gateway, held } = await startHeldGateway();
  const first = held.holdRead('find');
  const socket = open(gateway.app.port);
  let received = '';
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  const large = JSON.stringify({ query: '{ __typename }', variables: { filler: 'x'.repeat(200_000) } });
  socket.write(post(QUERY) + post(large, 'Connection: close'));
  await first.reached;
  first.release();
  await named('both answers', closed);
  expect(received).toContain('{"data":{"task":null}}');
  expect(received).toContain('{"data":{"__typename":"Query"}}');
});

test('a connection on which hundreds of requests wait is cut, and others go on', async () => {
  const { gateway, held } = await startHeldGateway();
  const first = held.holdRead('find');
  const socket = open(gateway.app.port).resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(post(QUERY));
  await first.reached;
  socket.write(headOf('GET /health', HOST).repeat(500));
  await named('the connection to be cut', closed);
  first.release();
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
});

test('two Host headers are refused on every route, and for sockets', async () => {
  const { gateway } = await startHeldGateway();
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];
  for (const [start, lines] of [
    ['GET /health', []],
    ['POST /webhooks/kie/a/b', []],
    ['GET /graphql', upgrade],
  ] as const) {
    const head = headOf(start, HOST, 'host: elsewhere', ...lines);
    const { body, status } = await sendRaw(gateway.app.port, head);
    expect([start, status, body]).toEqual([start, 400, expect.stringContaining('one Host')]);
  }
});

test('a wrong WebSocket handshake is refused with problem details', async () => {
  const { gateway } = await startHeldGateway();
  const handshake = [HOST, 'Connection: Upgrade', 'Upgrade: websocket'];
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  const version = 'Sec-WebSocket-Version: 13';
  for (const [start, status, ...lines] of [
    ['POST /graphql', 405, key, version],
    ['GET /graphql', 426, key, 'Sec-WebSocket-Version: 99'],
    ['GET /graphql', 400, 'Sec-WebSocket-Key: x', version],
  ] as const) {
    const answer = await sendRaw(gateway.app.port, headOf(start, ...handshake, ...lines));
    expect([start, answer.status]).toEqual([start, status]);
    expect(JSON.parse(answer.body)).toMatchObject({ status, hint: expect.any(String) as string });
  }
});
