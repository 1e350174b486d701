import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createLiveCounts } from '../../src/websocket/socket.ts';
import { startHeartbeat } from '../../src/websocket/heartbeat.ts';
import { onTestEnd } from '../kit/waits.ts';
import { eventually } from './eventually.ts';

const SLOW_MS = 4000;
/** The watchdog's own: how often it pings, and how often it looks. */
const PING_EVERY_MS = 12_000;
const LOOK_MS = 1000;

/** More than the buffers of two sockets take, in messages of one size. */
const MESSAGE = 'x'.repeat(64 * 1024);
const PLENTY = 256;

beforeEach(() => {
  // Only what the watchdog goes by: sockets keep the real time.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the watchdog', () => {
  test('closes a socket with 1013 whose client takes nothing for SLOW_READER_MS while something waits', async () => {
    const { client, served } = await startPair();
    client.pause();
    for (let count = 0; count < PLENTY; count += 1) served.send(MESSAGE);
    vi.advanceTimersByTime(SLOW_MS - LOOK_MS);
    expect(served.readyState).toBe(WebSocket.OPEN);
    vi.advanceTimersByTime(2 * LOOK_MS);
    expect(served.readyState).toBe(WebSocket.CLOSING);
    client.resume();
    expect((await once(client, 'close'))[0]).toBe(1013);
  });

  test('what such a client sends is no sign that it reads', async () => {
    const { client, served } = await startPair();
    client.pause();
    for (let count = 0; count < PLENTY; count += 1) served.send(MESSAGE);
    for (let ms = 0; ms <= SLOW_MS + LOOK_MS; ms += LOOK_MS) {
      const heard = once(served, 'message');
      client.send('still here');
      await heard;
      vi.advanceTimersByTime(LOOK_MS);
    }
    expect(served.readyState).toBe(WebSocket.CLOSING);
  });

  test('leaves a socket open whose client reads slowly and steadily, though as much as before waits each time', async () => {
    const { client, served, taken } = await startPair();
    let received = 0;
    client.on('message', () => {
      received += 1;
    });
    // As a subscription does: the next one when the one before is out.
    const sendOn = (): void => {
      served.send(MESSAGE, (error) => {
        if (error) return;
        taken();
        sendOn();
      });
    };
    client.pause();
    sendOn();
    for (let ms = 0; ms < 5 * (PING_EVERY_MS + SLOW_MS); ms += SLOW_MS / 2) {
      await eventually('something waits', () => served.bufferedAmount > 0);
      vi.advanceTimersByTime(SLOW_MS / 2);
      expect(served.readyState).toBe(WebSocket.OPEN);
      const before = received;
      client.resume();
      await eventually('the client has read much', () => received >= before + PLENTY);
      client.pause();
    }
    expect(served.readyState).toBe(WebSocket.OPEN);
  });

  test('leaves a healthy idle socket open for ever: it is pinged and answers', async () => {
    const { client, served } = await startPair();
    for (let round = 0; round < 10; round += 1) {
      const pong = once(served, 'pong');
      vi.advanceTimersByTime(PING_EVERY_MS);
      await pong;
    }
    expect(served.readyState).toBe(WebSocket.OPEN);
    expect(client.readyState).toBe(WebSocket.OPEN);
  });

  test('pings nobody who was heard of since', async () => {
    const { client, served } = await startPair();
    let pings = 0;
    client.on('ping', () => (pings += 1));
    for (let ms = 0; ms < 3 * PING_EVERY_MS; ms += PING_EVERY_MS / 2) {
      const heard = once(served, 'message');
      client.send('still here');
      await heard;
      vi.advanceTimersByTime(PING_EVERY_MS / 2);
    }
    const echo = once(client, 'message');
    served.send('nothing can be on its way before this');
    await echo;
    expect(pings).toBe(0);
  });

  test('cuts a socket from which nothing is heard for SLOW_READER_MS after a ping', async () => {
    const { client, served } = await startPair({ autoPong: false });
    vi.advanceTimersByTime(PING_EVERY_MS + SLOW_MS - LOOK_MS);
    expect(served.readyState).toBe(WebSocket.OPEN);
    vi.advanceTimersByTime(2 * LOOK_MS);
    expect((await once(client, 'close'))[0]).toBe(1006);
  });

  test('cuts a dead socket also when what is sent to it vanishes in buffers', async () => {
    const { client, served, taken } = await startPair({ autoPong: false });
    for (let ms = 0; ms <= PING_EVERY_MS + SLOW_MS; ms += LOOK_MS) {
      await new Promise<void>((resolve) => {
        served.send('a little', () => {
          taken();
          resolve();
        });
      });
      vi.advanceTimersByTime(LOOK_MS);
    }
    expect((await once(client, 'close'))[0]).toBe(1006);
  });

  test('leaves a live socket open when the clock is set ahead', async () => {
    const { client, served } = await startPair();
    vi.setSystemTime(Date.now() + 3_600_000);
    vi.advanceTimersByTime(2 * LOOK_MS);
    await answers(client, served);
  });

  test('leaves a live socket open when the process stood still for an hour', async () => {
    const { client, served } = await startPair();
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
    onTestEnd(() => void vi.restoreAllMocks());
    vi.advanceTimersByTime(2 * LOOK_MS);
    await answers(client, served);
  });

  test('looks at nobody any more once it is stopped', async () => {
    const { client, served, stop } = await startPair({ autoPong: false });
    stop();
    vi.advanceTimersByTime(10 * (PING_EVERY_MS + SLOW_MS));
    await answers(client, served);
  });
});

/** Waits for what is sent to a client; there is no such thing once its socket was cut. */
async function answers(client: WebSocket, served: WebSocket): Promise<void> {
  const echo = once(client, 'message');
  served.send('still open');
  await echo;
  expect(served.readyState).toBe(WebSocket.OPEN);
}

/** A socket under the watchdog and its client, both real. `taken` tells the watchdog that a message is out. */
async function startPair({ autoPong = true } = {}) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  let count = 0;
  const stop = startHeartbeat(server.clients, SLOW_MS, () => count, createLiveCounts());
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { autoPong });
  const [[served]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [
    [WebSocket],
    [],
  ];
  onTestEnd(() => {
    stop();
    client.terminate();
    served.terminate();
    server.close();
  });
  // Its first look greets the socket.
  vi.advanceTimersByTime(LOOK_MS);
  const taken = (): void => {
    count += 1;
  };
  return { client, served, stop, taken };
}
