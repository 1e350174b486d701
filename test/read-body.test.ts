import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { readBody } from '../src/http/body.ts';
import { headOf } from './attacks/raw-http.ts';
import { onTestEnd, createQueue } from './kit/waits.ts';

const CHUNKED = headOf('POST /', 'Host: x', 'Transfer-Encoding: chunked');
const MIB = 1024 * 1024;

/** A server that reads bodies of at most `limit` bytes; `read` takes what has become of them, in this order. */
async function serve(limit: number) {
  const bodies = createQueue<{ request: IncomingMessage; body: Promise<Buffer | null> }>('a request');
  const server = createServer((request, response) => {
    const body = readBody(request, limit);
    // What a body came to is looked at by the test.
    body.then(
      () => response.end(),
      () => undefined,
    );
    bodies.push({ request, body });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { next: bodies.take, port: (server.address() as AddressInfo).port };
}

function send(port: number, text: string | Buffer): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  socket.write(text);
  return socket;
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

test('a body in chunks of any size is what was sent, and an empty one is empty', async () => {
  const { next, port } = await serve(MIB);
  const parts = Array.from({ length: 3000 }, (_, index) => '雪'.repeat(index % 7) + 'x'.repeat(index % 41));
  const sent = parts.filter((part) => part !== '').map(chunk);
  send(port, `${CHUNKED}${sent.join('')}0\r\n\r\n`);
  expect((await (await next()).body)?.toString()).toBe(parts.join(''));
  send(port, headOf('POST /', 'Host: x', 'Content-Length: 0'));
  expect(await (await next()).body).toHaveLength(0);
});

test('a body has at most its limit, is none as soon as it grows larger, and fails when its sender goes away', async () => {
  const { next, port } = await serve(5000);
  const socket = send(port, `${CHUNKED}${chunk('x'.repeat(5000))}`);
  const { body } = await next();
  socket.write('0\r\n\r\n');
  expect(await body).toHaveLength(5000);
  send(port, `${CHUNKED}${chunk('x'.repeat(5000))}${chunk('y')}`);
  expect(await (await next()).body).toBeNull();
  const leaving = send(port, `${CHUNKED}${chunk('half')}`);
  const { body: half } = await next();
  leaving.destroy();
  await expect(half).rejects.toThrow();
});

test('when all bodies on their way take too much memory, the oldest is cut and the others arrive', async () => {
  const { next, port } = await serve(16 * MIB);
  const large = Buffer.alloc(15 * MIB, 'x');
  const head = headOf('POST /', 'Host: x', `Content-Length: ${16 * MIB}`);
  const begin = async () => {
    const socket = send(port, head);
    const { body, request } = await next();
    socket.write(large);
    return { socket, body, request };
  };
  const oldest = await begin();
  const others = [await begin(), await begin(), await begin(), await begin()];
  await expect(oldest.body).rejects.toThrow('too much memory');
  for (const { socket } of others) socket.write(Buffer.alloc(MIB, 'y'));
  for (const { body } of others) expect(await body).toHaveLength(16 * MIB);
});
