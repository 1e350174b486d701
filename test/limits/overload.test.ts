import { createClient } from 'graphql-ws';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createOverloadJudge, type Load } from '../../src/limits/overload.ts';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { createTask, findTask, taskOf } from '../api/client.ts';
import { headOf, sendRaw } from '../attacks/raw-http.ts';
import { type ApiTask, CREATE, TASK, TASK_UPDATED, input } from '../kit/documents.ts';
import { deferred, onTestEnd, named } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway, type Gateway } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { startWithTask } from '../webhooks/called-back.ts';

const OVERLOADED = {
  code: 'SERVICE_UNAVAILABLE',
  hint: expect.stringMatching(/^Try again in [2-5] s\.$/) as string,
};

/** Asks until the answer has this status. */
async function answered(gateway: Gateway, query: string, status: number) {
  const ask = async (): ReturnType<typeof graphql> => {
    const answer = await graphql(gateway.graphqlUrl, query);
    return answer.status === status ? answer : ask();
  };
  return named(`status ${status} for ${query}`, ask());
}

async function upload(gateway: Gateway): Promise<Response> {
  return fetch(`${gateway.url}/uploads`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: 'x',
  });
}

test('an overloaded gateway refuses operations, event streams, uploads and new sockets, and nothing else', async () => {
  const LIMIT_MS = 400;
  let writeLag = 0;
  const wrap = (ports: TaskPorts): TaskPorts => ({
    ...ports,
    store: { ...ports.store, writeLag: () => writeLag },
  });
  const provider = await startFakeProvider();
  const env = { OVERLOAD_DELAY_MS: String(LIMIT_MS) };
  const gateway = await startGateway({ provider, env, overrides: { wrap } });
  const { graphqlUrl, url } = gateway;
  const client = await openGraphqlWs(graphqlUrl);
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  const task = await createTask(gateway);

  writeLag = 1.5 * 5 * LIMIT_MS;
  const query = await answered(gateway, '{ __typename }', 503);
  expect(query.headers.get('retry-after')).toMatch(/^[2-5]$/);
  expect(query.body.errors?.[0]?.extensions).toMatchObject(OVERLOADED);
  const mutation = await graphql(graphqlUrl, CREATE, { input: input() });
  expect(mutation).toMatchObject({ status: 503, body: { errors: [{ extensions: OVERLOADED }] } });
  const stream = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { tasksUpdated(after: 0) { id } }' }),
  });
  const page = await fetch(`${graphqlUrl}?query={__typename}`, { headers: { origin: 'http://localhost:1' } });
  expect([stream.status, page.status]).toEqual([503, 503]);
  expect(page.headers.get('access-control-allow-origin')).toBe('http://localhost:1');
  const uploaded = await upload(gateway);
  expect(uploaded.status).toBe(503);
  expect(await uploaded.json()).toMatchObject(OVERLOADED);
  const late = await openGraphqlWs(graphqlUrl, { init: false });
  expect(await late.closed).toEqual({ code: 1013, reason: 'Overloaded' });

  const asked = [
    client.subscribe({ query: TASK, variables: { id: task.id } }),
    client.subscribe({ query: CREATE, variables: { input: input() } }),
  ];
  for (const operation of asked) expect((await operation.errors())[0]?.extensions).toMatchObject(OVERLOADED);
  const watched = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
  expect((await watched.data()).taskUpdated.id).toBe(task.id);
  for (const path of ['/health', '/ready', '/']) expect((await fetch(url + path)).status, path).not.toBe(503);
  expect(provider.requests('createTask')).toHaveLength(1);

  writeLag = 0;
  await answered(gateway, '{ __typename }', 200);
  expect(await findTask(gateway, task.id)).toMatchObject({ state: 'WAITING' });
  await createTask(gateway);
});

test('an overloaded gateway refuses a request before a byte of its body', async () => {
  let writeLag = 0;
  const wrap = (ports: TaskPorts): TaskPorts => ({
    ...ports,
    store: { ...ports.store, writeLag: () => writeLag },
  });
  const env = { OVERLOAD_DELAY_MS: '100' };
  const gateway = await startGateway({ provider: await startFakeProvider(), env, overrides: { wrap } });
  writeLag = 10_000;
  await answered(gateway, '{ __typename }', 503);
  const type = 'Content-Type: application/json';
  const half = headOf('POST /graphql', 'Host: 127.0.0.1', type, 'Content-Length: 9', 'Connection: close');
  expect(await sendRaw(gateway.app.port, half)).toMatchObject({ status: 503 });
});

/** Leaves the event loop of this process, in which the gateway runs, one turn after each `ms`. */
function keepBusy(ms: number): () => Promise<void> {
  let isOver = false;
  const work = async (): Promise<void> => {
    while (!isOver) {
      const until = performance.now() + ms;
      while (performance.now() < until);
      await setImmediate();
    }
  };
  const done = work();
  const stop = (): Promise<void> => {
    isOver = true;
    return done;
  };
  onTestEnd(stop);
  return stop;
}

test('while the event loop is really too busy callbacks are taken and told, and whoever was put off comes back and lacks nothing', async () => {
  const { callback, gateway, provider, task } = await startWithTask({ env: { OVERLOAD_DELAY_MS: '60' } });
  const watcher = await openGraphqlWs(gateway.graphqlUrl);
  const watched = watcher.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
  expect((await watched.data()).taskUpdated.state).toBe('WAITING');

  const stop = keepBusy(150);
  await answered(gateway, '{ __typename }', 503);
  await answered(gateway, 'mutation { cancelTask(id: "none") { __typename } }', 503);
  const sentAway = deferred<number>('a new socket being sent away');
  const seen = deferred<ApiTask>('what the client that came back is told');
  const client = createClient({
    url: gateway.graphqlUrl,
    webSocketImpl: WebSocket,
    retryAttempts: Infinity,
    retryWait: () => setImmediate(),
    on: {
      closed: (event) => {
        sentAway.resolve((event as CloseEvent).code);
      },
    },
  });
  onTestEnd(() => client.dispose());
  client.subscribe<{ taskUpdated: ApiTask }>(
    { query: TASK_UPDATED, variables: { id: task.id } },
    {
      next: ({ data }) => {
        if (data) seen.resolve(data.taskUpdated);
      },
      error: seen.reject,
      complete: () => undefined,
    },
  );
  expect(await sentAway.promise).toBe(1013);
  const { status } = await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect(status).toBe(200);
  expect((await watched.data()).taskUpdated.state).toBe('SUCCESS');
  await watched.completed();

  await stop();
  expect((await seen.promise).state).toBe('SUCCESS');
  await answered(gateway, '{ __typename }', 200);
  provider.answer('createTask', created('kie-2'));
  const { body } = await graphql(gateway.graphqlUrl, CREATE, { input: input() });
  expect(taskOf(dataOf(body).createImageToVideo).state).toBe('WAITING');
});

const CALM: Load = { loopDelayMs: 0, heapUsed: 0.2, writeLagMs: 0 };

/** Whether the gateway is overloaded after each of these loads, with a limit of 100 ms. */
function judge(...loads: readonly Partial<Load>[]): boolean[] {
  const isTooMuch = createOverloadJudge(100);
  return loads.map((load) => isTooMuch({ ...CALM, ...load }));
}

const late = (loopDelayMs: number): Partial<Load> => ({ loopDelayMs });
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('one long tick of the event loop, however long, is no overload, nor are two', () => {
  expect(judge(late(60_000), {}, late(60_000), late(60_000), {})).toEqual(times(5, false));
});

test.each([
  ['an event loop that is late', late(101)],
  ['writes that wait five times as long', { writeLagMs: 501 }],
  ['a memory that is nearly full', { heapUsed: 0.91 }],
])('%s is overload after three looks in a row', (_, bad) => {
  expect(judge(...times(4, bad))).toEqual([false, false, true, true]);
});

test('overload ends after four looks in a row below half of the limit', () => {
  const falling = [...times(3, late(49)), late(51), ...times(4, late(49))];
  expect(judge(...times(3, late(201)), ...falling).slice(3)).toEqual([...times(7, true), false]);
});

test('between half of the limit and the limit nothing changes', () => {
  expect(judge(...times(10, late(99)))).toEqual(times(10, false));
  expect(judge(...times(3, late(101)), ...times(10, late(51))).slice(2)).toEqual(times(11, true));
});
