import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { headOf, sendRaw } from './raw-http.ts';
import { openRaw } from './raw-socket.ts';

const QUERY = JSON.stringify({ query: '{ task(id: "no-such-task") { id } }' });
const TYPE = 'Content-Type: application/json';

function post(json: string, ...lines: readonly string[]): string {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return headOf('POST /graphql', 'Host: localhost', TYPE, length, ...lines) + json;
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
  const requests = paths.map((path) => headOf(`GET ${path}`, 'Host: localhost'));
  const last = headOf('GET /health', 'Host: localhost', 'Connection: close');
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
  socket.write(headOf('GET /health', 'Host: localhost').repeat(500));
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
    const head = headOf(start, 'Host: localhost', 'host: elsewhere', ...lines);
    const { body, status } = await sendRaw(gateway.app.port, head);
    expect([start, status, body]).toEqual([start, 400, expect.stringContaining('one Host')]);
  }
});

test('a body that is announced as too large is refused before it comes', async () => {
  const { gateway } = await startHeldGateway();
  const socket = open(gateway.app.port);
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (data: Buffer) => {
      resolve(data.toString());
    });
  });
  socket.write(headOf('POST /graphql', 'Host: localhost', TYPE, 'Content-Length: 300000000'));
  expect(await named('the refusal', answer)).toMatch(/^HTTP\/1\.1 413 /);
});

test('a wrong WebSocket handshake is refused with problem details', async () => {
  const { gateway } = await startHeldGateway();
  const handshake = ['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket'];
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

test('a stranger gets answers to a handful of pings before connection_init, and is cut', async () => {
  const { gateway } = await startHeldGateway();
  const { closed, socket } = await openRaw(gateway.graphqlUrl);
  let pongs = 0;
  socket.on('message', () => (pongs += 1));
  for (let sent = 0; sent < 500; sent += 1) socket.send('{"type":"ping"}');
  await closed;
  expect(pongs).toBeLessThanOrEqual(8);
});
