import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { HMAC_KEY } from '../kit/gateway.ts';
import { callbackSuccess, deliverCallback, sign, notVisibleYet } from '../kit/kie.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { startWithTask, type CalledBack } from './called-back.ts';

const KIB = 1024;
const LIMIT = 256 * KIB;

/** With a provider that is asked about the task when a callback cannot be read. */
async function start(): Promise<CalledBack> {
  const scene = await startWithTask();
  scene.provider.always('recordInfo', notVisibleYet());
  return scene;
}

/** A success callback that has exactly so many bytes. */
function callbackOf(bytes: number): string {
  const { length } = JSON.stringify(callbackSuccess('kie-1', { padding: '' }));
  return JSON.stringify(callbackSuccess('kie-1', { padding: 'x'.repeat(bytes - length) }));
}

/** Posts as a simple sender does: it sends everything, whatever has been answered by then. Rejects when it is cut off. */
async function sendAll(url: string, bytes: number, headers: Record<string, string>): Promise<number> {
  const chunk = Buffer.alloc(64 * KIB, 'x');
  const message = request(url, {
    method: 'POST',
    headers: { ...headers, ...sign(HMAC_KEY, 'kie-1'), 'content-type': 'application/json' },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    message.once('response', resolve).once('error', reject);
  });
  for (let sent = 0; sent < bytes; sent += chunk.length)
    await new Promise<void>((resolve, reject) => {
      message.write(chunk.subarray(0, Math.min(chunk.length, bytes - sent)), (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  message.end();
  const { statusCode = 0 } = (await answered).resume();
  return statusCode;
}

test('a body of 256 KiB is read, one more byte is too much', async () => {
  const { callback } = await start();
  const headers = sign(HMAC_KEY, 'kie-1');
  expect((await deliverCallback(callback, callbackOf(LIMIT + 1), headers)).status).toBe(413);
  expect((await deliverCallback(callback, callbackOf(LIMIT), headers)).status).toBe(200);
});

test.each([300 * KIB, 5 * 1024 * KIB])(
  'who sends %i bytes gets to the end of them and sees the answer, not a reset',
  async (bytes) => {
    const { callback } = await start();
    expect(await sendAll(callback, bytes, { 'content-length': String(bytes) })).toBe(413);
    expect(await sendAll(callback, bytes, { 'transfer-encoding': 'chunked' })).toBe(413);
    expect(await sendAll(`${callback}x`, bytes, { 'transfer-encoding': 'chunked' })).toBe(401);
  },
);

test('a connection over which too much came can be used again', async () => {
  const { callback, gateway } = await start();
  const socket = open(gateway.app.port);
  const answers = collect(socket);
  const path = new URL(callback).pathname;
  const head = (length: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
  socket.write(head(LIMIT + 1) + 'x'.repeat(LIMIT + 1));
  await answers.until('HTTP/1.1 413');
  socket.write(head(2) + '{}');
  await answers.until('HTTP/1.1 400');
});

test('who sends without end is cut off, and does not hold up the end of the process', async () => {
  const { callback, gateway } = await start();
  const socket = open(gateway.app.port);
  const cut = new Promise((resolve) => socket.once('close', resolve));
  const path = new URL(callback).pathname;
  socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const sendMore = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', sendMore);
  sendMore();
  await named('the connection to be cut', cut);
  await gateway.close();
});

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  // A cut connection may end with a reset.
  socket.on('error', () => undefined);
  onTestEnd(() => {
    socket.destroy();
  });
  return socket;
}

/** What comes over a connection, to be waited for. */
function collect(socket: Socket): { until(part: string): Promise<void> } {
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString();
    socket.emit('received');
  });
  return {
    until: (part) =>
      named(
        `"${part}" to be received`,
        new Promise((resolve) => {
          const look = (): void => {
            if (!received.includes(part)) return;
            socket.off('received', look);
            resolve();
          };
          socket.on('received', look);
          look();
        }),
      ),
  };
}
