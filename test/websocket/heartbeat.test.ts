import { IncomingMessage } from 'node:http';
import { queryObjects } from 'node:v8';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs, type GraphqlWsOptions } from '../kit/graphql-ws.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask } from './stored-tasks.ts';

const SLOW_MS = 4000;
const PING_EVERY_MS = 12_000;
const LOOK_MS = 1000;

beforeEach(() => {
  // Only what the heartbeat uses: sockets keep the real time.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A gateway and a client that follows all tasks. `look` lets time pass, one look of the heartbeat after the other. */
async function start(options: GraphqlWsOptions = {}) {
  const emit = vi.spyOn(WebSocket.prototype, 'emit');
  onTestFinished(() => {
    emit.mockRestore();
  });
  const { gateway, store } = await startHeldGateway({ env: { SLOW_READER_MS: String(SLOW_MS) } });
  const client = await openGraphqlWs(gateway.graphqlUrl, options);
  const watch = client.subscribe({ query: TASKS_UPDATED });
  await eventually('it is followed', () => gateway.app.stats().listeners === 1);
  const look = async (ms: number, after: () => Promise<unknown> = () => Promise.resolve()): Promise<void> => {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      vi.advanceTimersByTime(LOOK_MS);
      await after();
    }
  };
  /** Fulfilled when the server has read what the client sent before. */
  const roundTrip = async (): Promise<void> => {
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
  };
  /** Sends more than the buffers of two sockets take. */
  const flood = async (): Promise<void> => {
    await Promise.all(Array.from({ length: 240 }, () => addTask(store, { prompt: 'x'.repeat(64 * 1024) })));
    await eventually('some of it waits for the client', () =>
      emit.mock.contexts.some((socket) => socket instanceof WebSocket && socket.bufferedAmount > 0),
    );
  };
  // Its first look notices the socket.
  await look(LOOK_MS);
  return { client, emit, flood, gateway, look, roundTrip, store, watch };
}

test('a client that takes nothing of what waits for it for SLOW_READER_MS gets 1013, although it sends', async () => {
  const close = vi.spyOn(WebSocket.prototype, 'close');
  onTestFinished(() => {
    close.mockRestore();
  });
  const isClosed = (): boolean => close.mock.calls.some(([code]) => code === 1013);
  const { client, flood, look } = await start();
  client.pause();
  await flood();
  await look(SLOW_MS - LOOK_MS, async () => {
    client.send({ type: 'pong' });
    return Promise.resolve();
  });
  expect(isClosed()).toBe(false);
  await look(3 * LOOK_MS);
  expect(isClosed()).toBe(true);
  client.resume();
  expect((await client.closed).code).toBe(1013);
});

test('a client that reads slowly and steadily keeps its socket', async () => {
  const { client, flood, look, roundTrip, watch } = await start();
  for (let round = 0; round < 5; round += 1) {
    client.pause();
    await flood();
    await look(SLOW_MS - LOOK_MS);
    client.resume();
    await watch.next();
    await roundTrip();
  }
  expect(client.messages.at(-1)).toMatchObject({ type: 'pong' });
});

test('a healthy idle client keeps its socket for ever: it is pinged and answers', async () => {
  const ping = vi.spyOn(WebSocket.prototype, 'ping');
  onTestFinished(() => {
    ping.mockRestore();
  });
  const { emit, look, roundTrip } = await start();
  const pongs = (): number => emit.mock.calls.filter(([event]) => event === 'pong').length;
  await look(5 * PING_EVERY_MS, () =>
    eventually('each ping is answered', () => pongs() === ping.mock.calls.length),
  );
  expect(pongs()).toBeGreaterThan(3);
  await roundTrip();
});

test('a client that sends something is not pinged', async () => {
  const ping = vi.spyOn(WebSocket.prototype, 'ping');
  onTestFinished(() => {
    ping.mockRestore();
  });
  const { look, roundTrip } = await start();
  await look(3 * PING_EVERY_MS, roundTrip);
  expect(ping).not.toHaveBeenCalled();
});

test.each(['nothing', 'events that vanish in buffers'])(
  'a dead client is cut SLOW_READER_MS after a ping, when it is sent %s',
  async (sent) => {
    const { client, gateway, look, store } = await start({ answerPings: false });
    await look(PING_EVERY_MS + SLOW_MS - 2 * LOOK_MS, async () => {
      if (sent !== 'nothing') await addTask(store);
    });
    expect(gateway.app.stats().sockets).toBe(1);
    await look(3 * LOOK_MS);
    expect((await client.closed).code).toBe(1006);
  },
);

test('a live client keeps its socket when the clock is set ahead, or the process stood still for an hour', async () => {
  const { look, roundTrip } = await start();
  vi.setSystemTime(Date.now() + 3_600_000);
  await look(2 * LOOK_MS);
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
  onTestFinished(() => {
    spy.mockRestore();
  });
  await look(2 * LOOK_MS);
  await roundTrip();
});

test('sockets do not keep the requests that opened them', async () => {
  const { gateway } = await startHeldGateway();
  const requests = (): number => queryObjects(IncomingMessage, { format: 'count' });
  const open = async (): Promise<void> => {
    (await openGraphqlWs(gateway.graphqlUrl)).subscribe({ query: TASKS_UPDATED });
  };
  await open();
  const before = requests();
  for (let count = 0; count < 20; count += 1) await open();
  await eventually('all are followed', () => gateway.app.stats().listeners > 20);
  expect(requests() - before).toBeLessThan(10);
});
