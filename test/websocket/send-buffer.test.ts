import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { SendBuffer } from '../../src/websocket/send-buffer.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from './eventually.ts';

/** A send buffer and its client, over a real connection. */
async function startPair() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const messages: string[] = [];
  client.on('message', (data: Buffer) => messages.push(data.toString()));
  const [[served, request]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [
    [WebSocket, IncomingMessage],
    [],
  ];
  onTestEnd(() => {
    client.terminate();
    served.terminate();
    server.close();
  });
  return { buffer: new SendBuffer(served, request.socket), client, messages, served, stream: request.socket };
}

/** A short text message as a WebSocket frame. */
function frameOf(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
}

test('a buffer is behind until its client has taken everything', async () => {
  const { buffer, client, served } = await startPair();
  const isBehind = (): boolean => {
    buffer.hold();
    const { isBehind: is } = buffer;
    buffer.release();
    return is;
  };
  expect(isBehind()).toBe(false);
  client.pause();
  // More than the buffers of two sockets take.
  for (let count = 0; count < 256; count += 1) buffer.send('x'.repeat(64 * 1024));
  expect(isBehind()).toBe(true);
  client.resume();
  await eventually('all is taken', () => served.bufferedAmount === 0);
  expect(isBehind()).toBe(false);
});

test('a buffer is full after 1 MiB in one go, also when its client reads them at once, and has drained then', async () => {
  const { buffer } = await startPair();
  const frame = frameOf('x'.repeat(100));
  let sent = 0;
  while (!buffer.isFull()) {
    buffer.hold();
    buffer.sendFrame(frame);
    sent += frame.length;
  }
  expect(sent).toBeLessThan(1025 * 1024);
  await new Promise<void>((resolve) => {
    buffer.onDrain(resolve);
    buffer.release();
  });
  expect(buffer.isFull()).toBe(false);
});

// A message that begins with "f" is sent as a frame.
test.each([
  [
    [
      'f1',
      'm2',
      '(',
      'f3',
      ')',
      '(',
      'f4',
      'm5',
      ')',
      '(',
      'm6',
      'f7',
      'm8',
      ')',
      '(',
      'f9',
      'f10',
      'f11',
      ')',
    ],
  ],
])(
  'messages and frames arrive in the order in which they were sent, and what is held back leaves at the release',
  async (steps) => {
    const { buffer, messages, served } = await startPair();
    const sent = steps.filter((step) => step.length > 1);
    for (const step of steps) {
      if (step === '(') buffer.hold();
      else if (step === ')') buffer.release();
      else if (step.startsWith('f')) buffer.sendFrame(frameOf(step));
      else buffer.send(step);
    }
    await eventually('all have come', () => messages.length === sent.length);
    expect(messages).toEqual(sent);
    await eventually('all are counted', () => buffer.taken === sent.length);
    buffer.hold();
    buffer.sendFrame(frameOf('last'));
    expect(served.bufferedAmount).toBe(0);
  },
);

test('no frame is sent after a close, whether it was held back before or not', async () => {
  const { buffer, client, messages, served, stream } = await startPair();
  const closed = once(client, 'close');
  buffer.hold();
  buffer.sendFrame(frameOf('1'));
  served.close(1001, 'bye');
  const { bytesWritten } = stream;
  buffer.release();
  buffer.sendFrame(frameOf('2'));
  expect(stream.bytesWritten).toBe(bytesWritten);
  expect((await closed)[0]).toBe(1001);
  expect(messages).toEqual([]);
});
