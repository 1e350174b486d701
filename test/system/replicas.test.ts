import { expect, test } from 'vitest';
import { CREATE, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, readiness, startReplica, type Replica } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import {
  callbackSuccess,
  deliverCallback,
  sign,
  createBody,
  created,
  notVisibleYet,
  refused,
} from '../kit/kie.ts';
import { temporaryDatabase } from '../kit/store.ts';
import { createTask } from './client.ts';

/** What the connection on which a replica is woken has said. */
const LISTEN = 'listen "kineograph"';

test('a subscriber of one replica sees what a callback to another one changes', async () => {
  const { callBack, provider, replicas } = await start(2);
  const [one, other] = replicas;
  const socket = await openGraphqlWs(one.graphqlUrl);
  const all = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  const { id } = await create(other, provider, 'kie-1');
  const task = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  expect((await task.data()).taskUpdated.state).toBe('WAITING');

  expect((await callBack(other, 'kie-1')).status).toBe(200);
  const seen = (await task.data()).taskUpdated;
  expect(seen).toMatchObject({ id, state: 'SUCCESS' });
  await task.completed();
  let newest = (await all.data()).tasksUpdated;
  // By whether it began before the task was made it sees one state more or less.
  while (newest.state !== 'SUCCESS') newest = (await all.data()).tasksUpdated;
  expect(newest).toEqual(seen);
});

test('the tokens of callbacks are valid on every replica, also on those that were started later', async () => {
  const { add, callBack, provider, replicas } = await start(2);
  await create(replicas[0], provider, 'kie-1');
  await create(replicas[0], provider, 'kie-2');
  const late = await add('late');
  expect((await callBack(replicas[1], 'kie-1')).status).toBe(200);
  expect((await callBack(late, 'kie-2')).status).toBe(200);
});

test('a task that the provider puts off is sent again', async () => {
  const { provider, replicas } = await start(2);
  provider.answer('createTask', refused(429, 'too many requests'));
  const { providerTaskId, state } = await create(replicas[0], provider, 'kie-1');
  expect([state, providerTaskId]).toEqual(['WAITING', 'kie-1']);
});

test('several replicas that start at once on an empty database all come up, and share it', async () => {
  const { provider, replicas } = await start(5);
  await create(replicas[0], provider, 'kie-1');
  const answers = await Promise.all(
    replicas.map(({ graphqlUrl }) => graphql(graphqlUrl, '{ tasks { edges { node { providerTaskId } } } }')),
  );
  for (const { body } of answers)
    expect(body.data).toEqual({ tasks: { edges: [{ node: { providerTaskId: 'kie-1' } }] } });
});

test.each(['holdThoseThatSaid', 'cutThoseThatSaid'] as const)(
  'wake-ups that never arrive delay changes and lose none (%s)',
  async (trouble) => {
    const { callBack, provider, replicas } = await start(2);
    const [one, other] = replicas;
    const { id } = await create(other, provider, 'kie-1');
    const socket = await openGraphqlWs(one.graphqlUrl);
    const task = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    await task.data();

    expect(one.network[trouble](LISTEN)).toBe(1);
    expect((await callBack(other, 'kie-1')).status).toBe(200);
    expect((await task.data()).taskUpdated.state).toBe('SUCCESS');
    await task.completed();
    // Listening goes on: another change is told too.
    one.network.pass();
    const all = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    expect((await all.data()).tasksUpdated.id).toBe(id);
    const next = await create(other, provider, 'kie-2');
    expect((await all.data()).tasksUpdated.id).toBe(next.id);
  },
);

test.each(['cut', 'blackHole'] as const)(
  'a replica without its database says so, keeps its sockets and catches up (%s)',
  async (trouble) => {
    const { callBack, provider, replicas } = await start(2);
    const [one, other] = replicas;
    const { id } = await create(one, provider, 'kie-1');
    const socket = await openGraphqlWs(one.graphqlUrl);
    let isClosed = false;
    void socket.closed.then(() => (isClosed = true));
    const task = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await task.data()).taskUpdated.state).toBe('WAITING');

    one.network[trouble]();
    const unready = await readiness(one, 503);
    expect(unready.headers.get('retry-after')).toBe('5');
    const { body } = await graphql(one.graphqlUrl, CREATE, { input: input() });
    expect(body.errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['SERVICE_UNAVAILABLE']);
    const refused = await callBack(one, 'kie-1');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await fetch(`${one.url}/health`)).status).toBe(200);

    expect((await callBack(other, 'kie-1')).status).toBe(200);
    expect(isClosed).toBe(false);
    one.network.pass();
    expect((await task.data()).taskUpdated.state).toBe('SUCCESS');
    await task.completed();
    await readiness(one, 200);
    expect(isClosed).toBe(false);
    expect(provider.requests('createTask')).toHaveLength(1);
  },
);

/** Replicas that start at the same time on a database of their own. */
async function start(count: number) {
  const provider = await startFakeProvider();
  provider.always('recordInfo', notVisibleYet());
  const databaseUrl = await temporaryDatabase();
  const add = (name: string): Promise<Replica> =>
    startReplica(name, {
      databaseUrl,
      env: {
        KIE_API_URL: provider.url,
        KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
        // Nothing is sent there: the test takes the callbacks where it wants them.
        PUBLIC_URL: 'https://gateway.example.test',
      },
    });
  const names = Array.from({ length: count }, (_, index) => `replica-${index}`);
  const [one, other, ...more] = await Promise.all(names.map(add));
  if (!one || !other) throw new Error('at least two');
  const replicas: readonly [Replica, Replica, ...Replica[]] = [one, other, ...more];

  /** Calls back for the task that has this id of the provider, at a replica. */
  function callBack({ url }: Replica, providerTaskId: string) {
    const index = Number(providerTaskId.replace('kie-', '')) - 1;
    const request = provider.requests('createTask')[index];
    if (!request) throw new Error(`nothing was created as ${providerTaskId}`);
    const { pathname } = new URL(String(createBody(request).callBackUrl));
    return deliverCallback(url + pathname, callbackSuccess(providerTaskId), sign(HMAC_KEY, providerTaskId));
  }
  return { add, callBack, provider, replicas };
}

/** A task that the provider takes under this id. */
function create({ graphqlUrl }: Replica, provider: FakeProvider, providerTaskId: string) {
  provider.answer('createTask', created(providerTaskId));
  return createTask(graphqlUrl);
}
