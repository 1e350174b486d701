import { expect, test } from 'vitest';
import type { AppOptions } from '../../src/app/create-app.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { addTask, change } from '../websocket/stored-tasks.ts';
import { CREATE, TASK, TASKS, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, HMAC_KEY } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import { readTask, submit, takeTask } from '../webhooks/called-back.ts';
import { startAttacked } from './bystander.ts';
import { DOORS, httpPost, sse, sseGet, webSocket, type Door } from './doors.ts';

type Wrap = NonNullable<NonNullable<AppOptions['overrides']>['wrap']>;
type Ports = Parameters<Wrap>[0];

const DETAIL = 'password=hush in SELECT * FROM tasks at /var/lib/kineograph.db';
const SECRET =
  /hush|password|select|from tasks|\/var|\.db\b|sqlite|\.ts\b|\.js\b|node_modules|stack|TypeError|\bat /i;

/** What may go wrong inside, and the code with which that is told. */
const TROUBLES: readonly { readonly what: string; readonly code: string; readonly error: () => Error }[] = [
  { what: 'a bug', code: 'INTERNAL_SERVER_ERROR', error: () => new TypeError(DETAIL) },
  {
    what: 'an error with more in it',
    code: 'INTERNAL_SERVER_ERROR',
    error: () =>
      Object.assign(new Error(DETAIL, { cause: new Error(DETAIL) }), {
        extensions: { sql: DETAIL },
        path: DETAIL,
      }),
  },
  {
    what: 'a store that is away',
    code: 'SERVICE_UNAVAILABLE',
    error: () => new StoreUnavailableError(new Error(DETAIL)),
  },
];

const ALL: readonly Door[] = DOORS;
const STREAMS: readonly Door[] = [sse, sseGet, webSocket];
const OPERATIONS: readonly (readonly [
  query: string,
  variables: Readonly<Record<string, unknown>>,
  doors: readonly Door[],
])[] = [
  [TASK, { id: 'x' }, ALL],
  [TASKS, {}, ALL],
  [CREATE, { input: input() }, [httpPost, sse, webSocket]],
  [TASK_UPDATED, { id: 'x' }, STREAMS],
  [TASKS_UPDATED, {}, STREAMS],
  [TASKS_UPDATED, { after: 0 }, STREAMS],
];

/** A gateway whose store fails once it is told to. */
async function startBreakable(error: () => Error) {
  const provider = await startFakeProvider();
  let isBroken = false;
  let inner: Ports | undefined;
  const wrap: Wrap = (ports) => {
    inner = ports;
    return { ...ports, store: breakable(ports.store, () => isBroken, error) };
  };
  const gateway = await startGateway({ provider, overrides: { wrap } });
  if (!inner) throw new Error('The gateway did not wrap its ports');
  return { gateway, provider, store: inner.store, breakStore: () => (isBroken = true) };
}

function breakable(store: Ports['store'], isBroken: () => boolean, error: () => Error): Ports['store'] {
  return new Proxy(store, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function' || name === 'close') return value;
      return (...args: unknown[]): unknown => {
        if (isBroken()) return Promise.reject(error());
        return Reflect.apply(value, target, args);
      };
    },
  });
}

test.each(TROUBLES)(
  '$what is told on every door with a code and nothing of its inside',
  async ({ code, error }) => {
    const { breakStore, gateway } = await startBreakable(error);
    breakStore();
    for (const [query, variables, doors] of OPERATIONS)
      for (const door of doors) {
        const { errors, text } = await door.send(gateway.graphqlUrl, { query, variables });
        expect([door.name, errors.map(({ extensions }) => extensions?.['code'])]).toEqual([
          door.name,
          [code],
        ]);
        expect(text).not.toMatch(SECRET);
      }
  },
);

test.each(TROUBLES)(
  '$what while a subscription runs is told to the next one only, and their socket lives on',
  async ({ code, error }) => {
    const { breakStore, gateway, store } = await startBreakable(error);
    const task = await addTask(store);
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
    await watch.next();
    breakStore();
    const { revision } = await change(store, task);
    expect((await watch.data()).taskUpdated).toMatchObject({ revision });
    const late = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    expect((await late.next()).errors).toMatchObject([{ extensions: { code } }]);
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
    expect(JSON.stringify(client.messages)).not.toMatch(SECRET);
    await gateway.close();
    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' });
  },
);

test.each(TROUBLES)('$what is told to callbacks and health checks without its inside', async ({ error }) => {
  const { breakStore, gateway, provider } = await startBreakable(error);
  provider.answer('createTask', created('kie-1'));
  await submit(gateway);
  const callback = gateway.callbackUrl(await provider.received('createTask'));
  breakStore();
  const answer = await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  expect([500, 503]).toContain(answer.status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(JSON.stringify(answer.body)).not.toMatch(SECRET);
  const ready = await fetch(`${gateway.url}/ready`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).not.toMatch(SECRET);
});

test('a provider that answers with a redirect gets the key, the prompt and the money of no call to another place', async () => {
  const elsewhere = await startFakeProvider();
  const { gateway, provider, withstands } = await startAttacked();
  for (const status of [301, 302, 303, 307, 308]) {
    const to = (path: string) => ({ status, headers: { location: `${elsewhere.url}${path}` } });
    const asked = provider.requests('createTask').length;
    provider.answer('createTask', to('/api/v1/jobs/createTask'));
    const { body } = await withstands(() => graphql(gateway.graphqlUrl, CREATE, { input: input() }));
    expect(dataOf(body).createImageToVideo).toMatchObject({ task: { state: 'SUBMITTING', videos: [] } });
    await provider.received('createTask');
    expect(provider.requests('createTask')).toHaveLength(asked + 1);

    const id = `kie-${status}`;
    provider.always('recordInfo', to(`/api/v1/jobs/recordInfo?taskId=${id}`));
    const { callback, task } = await takeTask({ gateway, provider }, id);
    // An unsigned callback has the provider asked.
    await withstands(async () => {
      expect((await deliverCallback(callback, callbackSuccess(id))).status).toBe(401);
      await provider.received('recordInfo', ({ query }) => query['taskId'] === id);
    });
    expect(await readTask(gateway, task.id)).toEqual(task);
    expect((await deliverCallback(callback, callbackSuccess(id), sign(HMAC_KEY, id))).status).toBe(200);

    provider.always('credit', to('/api/v1/chat/credit'));
    const { body: account } = await withstands(() =>
      graphql(gateway.graphqlUrl, '{ account { creditsRemaining } }'),
    );
    expect(account).toEqual({ data: { account: { creditsRemaining: null } } });
  }
  await gateway.close();
  expect(elsewhere.requests()).toEqual([]);
});
