import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchClients } from '../../src/http/slow-clients.ts';
import { eventually } from '../websocket/eventually.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { headOf } from '../attacks/raw-http.ts';

const SLOW_MS = 4000;
const LOOK_MS = 1000;
/** More than the buffers of two sockets take. */
const LONG = Buffer.alloc(32 * 1024 * 1024, 'x');

beforeEach(() => {
  // Only what is gone by: sockets keep the real time.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Served {
  readonly client: Socket;
  readonly server: Server;
  /** The connection as the server has it. */
  readonly served: Socket;
}

/** A server that answers like this, and a client that has asked and reads nothing yet. */
async function serve(answer: RequestListener, request = headOf('GET /', 'Host: x')): Promise<Served> {
  const server = createServer();
  const limits = { slowReaderMs: SLOW_MS, requestTimeoutMs: 300_000, headersTimeoutMs: 60_000 };
  const clients = watchClients(server, limits);
  server.on('request', (message, response) => {
    clients.watch(message, response);
    answer(message, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  client.on('error', () => undefined);
  onTestEnd(async () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const asked = once(server, 'request');
  client.write(request);
  const [served] = await connected;
  await asked;
  return { client, server, served };
}

test.each<[string, RequestListener]>([
  ['an answer that was written whole', (_, response) => response.end(LONG)],
  ['an answer that is still being written', (_, response) => response.write(LONG)],
])('%s is cut when its client takes nothing of it for SLOW_READER_MS', async (_, answer) => {
  const { served } = await serve(answer);
  vi.advanceTimersByTime(SLOW_MS - LOOK_MS);
  expect(served.destroyed).toBe(false);
  vi.advanceTimersByTime(2 * LOOK_MS);
  expect(served.destroyed).toBe(true);
});

test('an answer is not cut as long as its client takes some of it, though it is one write', async () => {
  const { client, served } = await serve((_, response) => response.end(LONG));
  let received = 0;
  client.on('data', (chunk: Buffer) => (received += chunk.length));
  client.pause();
  const { _handle: handle } = served as unknown as { _handle: { writeQueueSize: number } };
  while (handle.writeQueueSize > 8 * 1024 * 1024) {
    const before = handle.writeQueueSize;
    client.resume();
    await eventually('the server to get rid of something', () => handle.writeQueueSize < before);
    client.pause();
    vi.advanceTimersByTime(SLOW_MS - LOOK_MS);
    expect(served.destroyed).toBe(false);
  }
  vi.advanceTimersByTime(2 * SLOW_MS);
  expect(served.destroyed).toBe(true);
  expect(received).toBeGreaterThan(0);
});

test('an answer is not cut because this process stood still', async () => {
  const { served } = await serve((_, response) => response.end(LONG));
  vi.advanceTimersByTime(LOOK_MS);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
  vi.advanceTimersByTime(LOOK_MS);
  expect(served.destroyed).toBe(false);
  vi.advanceTimersByTime(SLOW_MS);
  expect(served.destroyed).toBe(true);
});

test('an answer that has nothing to send for a long time is not cut', async () => {
  const { client, served } = await serve((_, response) => response.write('x'));
  client.resume();
  await once(client, 'data');
  vi.advanceTimersByTime(10 * SLOW_MS);
  expect(served.destroyed).toBe(false);
});

test('who goes on sending after the answer is read for a while, and then cut', async () => {
  const head = headOf('POST /', 'Host: x', 'Transfer-Encoding: chunked');
  const { client, served } = await serve((_, response) => response.writeHead(401).end(), head);
  client.resume();
  await once(client, 'data');
  const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
  const send = async (megabytes: number): Promise<void> => {
    const before = served.bytesRead;
    for (let sent = 0; sent < megabytes; sent += 1) client.write(chunk);
    await eventually(
      'all to be read',
      () => served.destroyed || served.bytesRead - before > megabytes * 2 ** 20,
    );
  };
  await send(16);
  vi.advanceTimersByTime(LOOK_MS);
  expect(served.destroyed).toBe(false);
  const closed = named('the end of the connection', once(client, 'close'));
  await send(17);
  vi.advanceTimersByTime(LOOK_MS);
  expect(served.destroyed).toBe(true);
  await closed;
});
