import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { named } from '../support/waits.ts';
import { headOf, sendRaw } from './raw-http.ts';

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
