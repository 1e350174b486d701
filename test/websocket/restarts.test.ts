import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { createTask } from '../api/client.ts';
import { CREATE, TASKS, TASKS_UPDATED, TASK_UPDATED, input, type ApiTask } from '../kit/documents.ts';
import { HMAC_KEY, startGateway } from '../kit/gateway.ts';
import { dataOf, graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, created, deliverCallback, sign } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { openSse } from '../kit/sse.ts';
import { emptyDatabase, queryDatabase } from '../kit/store.ts';
import { deferred, onTestEnd, staysPending } from '../kit/waits.ts';
import { startStandingGateway } from '../submitting/standing-gateway.ts';
import { eventually } from './eventually.ts';
import { DOORS, startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

describe('when the gateway stops', () => {
  test('sockets are closed with 1001, event streams end, and nothing is left', async () => {
    const { gateway, store } = await startHeldGateway();
    const { id } = await addTask(store);
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const quiet = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id } });
    await watch.next();
    const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    await stream.next();

    await gateway.close();
    expect([(await client.closed).code, (await quiet.closed).code]).toEqual([1001, 1001]);
    // Not as if it were complete: its client is to come back.
    await expect(stream.completed()).rejects.toThrow('ended with its connection');
    await expect(watch.completed()).rejects.toThrow('1001');
    expect(gateway.app.stats()).toEqual({ sockets: 0, listeners: 0 });
    await expect(openGraphqlWs(gateway.graphqlUrl)).rejects.toThrow('ECONNREFUSED');
  });

  test('a connection over which nothing ever came, as browsers open them ahead of need, does not hold it up', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const silent = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    await once(silent, 'connect');
    // Connections are taken in their order: this answer means that the silent one was taken as well.
    await graphql(gateway.graphqlUrl, '{ __typename }');
    const ended = once(silent, 'close');
    await gateway.close();
    await ended;
    // Not a bound for what hangs: after half a minute Node would end it by itself.
  }, 20_000);

  test('a socket that does not answer the close is cut', async () => {
    const { gateway, store } = await startHeldGateway();
    await addTask(store);
    const deaf = await openGraphqlWs(gateway.graphqlUrl);
    deaf.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    deaf.pause();
    await gateway.close();
    expect(gateway.app.stats()).toEqual({ sockets: 0, listeners: 0 });
    // As above: ws would cut it by itself.
  }, 20_000);

  test.each(DOORS)(
    'a subscription over $name that is still being begun does not hold it up',
    async ({ begin }) => {
      const { gateway, held, store } = await startHeldGateway();
      const { id } = await addTask(store);
      const hold = held.holdAnswer('find');
      await begin(gateway.graphqlUrl, { query: TASK_UPDATED, variables: { id } });
      await hold.reached;
      const closed = gateway.close();
      hold.release();
      await closed;
      await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
    },
  );

  test('a mutation that waits is answered with a task that is SUBMITTING, and then its socket gets 1001', async () => {
    const provider = await startFakeProvider();
    const gate = deferred();
    for (const id of ['kie-1', 'kie-2'])
      provider.answer('createTask', { ...created(id), gate: gate.promise });
    const gateway = await startGateway({ provider, env: { CREATE_WAIT_MS: '3600000' } });
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const operation = { query: CREATE, variables: { input: input() } };
    const overHttp = graphql(gateway.graphqlUrl, operation.query, operation.variables);
    const overSocket = client.subscribe(operation);
    for (let count = 0; count < 2; count += 1) await provider.received('createTask');
    const closed = gateway.close();
    for (const { createImageToVideo } of [dataOf((await overHttp).body), await overSocket.data()])
      expect(createImageToVideo).toMatchObject({ task: { state: 'SUBMITTING', providerTaskId: null } });
    expect((await client.closed).code).toBe(1001);
    gate.resolve();
    await closed;
  });

  test('it says so at /ready first, and goes on serving for DRAIN_DELAY_MS', async () => {
    const provider = await startFakeProvider();
    provider.answer('createTask', created('kie-1'));
    const gateway = await startStandingGateway({ provider, env: { DRAIN_DELAY_MS: '5000' } });
    const ready = async (): Promise<number> => (await fetch(`${gateway.url}/ready`)).status;
    const client = await openGraphqlWs(gateway.graphqlUrl);
    expect(await ready()).toBe(200);
    const closed = gateway.close();
    expect(await ready()).toBe(503);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    const task = await createTask(gateway);
    expect(task.state).toBe('WAITING');
    await openGraphqlWs(gateway.graphqlUrl);
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
    expect((await watch.data()).taskUpdated.id).toBe(task.id);
    gateway.clock.advance(4999);
    await staysPending(closed);
    gateway.clock.advance(1);
    await closed;
    expect((await client.closed).code).toBe(1001);
  });
});

describe.each(DOORS)('a gateway that is started again on the same data, over $name,', ({ subscribe }) => {
  test('goes on where its clients were: with `after` they miss nothing and see nothing twice', async () => {
    const provider = await startFakeProvider();
    const before = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    for (let count = 0; count < 2; count += 1) await graphql(before.graphqlUrl, CREATE, { input: input() });
    const creates = [await provider.received('createTask'), await provider.received('createTask')];

    const { graphqlUrl } = before;
    const stream = await subscribe(graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    const first = (await stream.data()).tasksUpdated;
    // The second one is not read: the client saw the first, no more.
    await before.close();

    const after = await startGateway({ provider, dataDir: before.dataDir });
    const again = await subscribe(after.graphqlUrl, {
      query: TASKS_UPDATED,
      variables: { after: first.revision },
    });
    const second = (await again.data()).tasksUpdated;
    expect(second.id).not.toBe(first.id);
    expect(second.revision).toBeGreaterThan(first.revision);

    const one = await subscribe(after.graphqlUrl, {
      query: TASK_UPDATED,
      variables: { id: first.id, after: first.revision },
    });
    const create = creates.find(({ order }) => order === Number(first.providerTaskId?.at(-1)));
    if (!create) throw new Error('The provider was not asked for the first task');
    const kieId = first.providerTaskId ?? '';
    await deliverCallback(after.callbackUrl(create), callbackSuccess(kieId), sign(HMAC_KEY, kieId));
    const { taskUpdated } = await one.data();
    expect(taskUpdated).toMatchObject({ id: first.id, state: 'SUCCESS' });
    await one.completed();
    expect((await again.data()).tasksUpdated).toEqual(taskUpdated);
  });
});

test('a restart of the feed closes every socket with 1012 and cuts every event stream, and clients that reconnect receive the next change once', async () => {
  const { gateway, ports, store } = await startHeldGateway();
  const task = await addTask(store);
  const sockets = await Promise.all(Array.from({ length: 150 }, () => openGraphqlWs(gateway.graphqlUrl)));
  const [first] = sockets;
  const watch = first?.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
  await watch?.data();
  const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
  await stream.next();

  ports.feed.restart();
  for (const { closed } of sockets) expect(await closed).toEqual({ code: 1012, reason: 'Subscribe again' });
  // Not an end: clients do not come back after one.
  await expect(stream.next()).rejects.toThrow();
  await eventually('nobody of before listens', () => gateway.app.stats().listeners === 0);
  expect(first?.messages.filter(({ type }) => type === 'error' || type === 'complete')).toEqual([]);

  const again = await openGraphqlWs(gateway.graphqlUrl);
  const variables = { after: task.revision };
  const all = again.subscribe({ query: TASKS_UPDATED, variables }, 'all');
  const { revision } = await change(store, task);
  expect((await all.data()).tasksUpdated.revision).toBe(revision);
  again.send({ type: 'ping' });
  await again.message(({ type }) => type === 'pong');
  expect(again.messages.filter(({ id }) => id === 'all')).toHaveLength(1);
});

test('a database that has lost published changes restarts subscriptions, and they miss nothing that comes', async () => {
  const { gateway, lost, takeOver } = await startBeforeFailover();
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const watch = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
  for (const one of [watch, stream]) expect((await one.data()).tasksUpdated).toBeTruthy();
  const last = (await watch.data()).tasksUpdated;
  expect(last.id).toBe(lost.id);

  await takeOver();
  // Codes after which clients of graphql-ws come back by themselves, and an end that clients of event streams take for a cut.
  expect((await socket.closed).code).toBe(1012);
  await expect(stream.completed()).rejects.toThrow('ended with its connection');

  const again = await openGraphqlWs(gateway.graphqlUrl);
  const after = again.subscribe({ query: TASKS_UPDATED, variables: { after: last.revision } });
  const next = await createTask(gateway);
  const newer = (await after.data()).tasksUpdated;
  expect(newer.id).toBe(next.id);
  expect(newer.revision).toBeGreaterThan(last.revision);
  const gone = again.subscribe({ query: TASK_UPDATED, variables: { id: lost.id, after: last.revision } });
  expect((await gone.next()).errors?.map(({ extensions }) => extensions?.['code'])).toEqual(['NOT_FOUND']);
});

test('a database that took over while nobody watched gives no revision that a client may have', async () => {
  const { gateway, lost, takeOver } = await startBeforeFailover();
  await takeOver();
  const next = await createTask(gateway);
  expect(next.revision).toBeGreaterThan(lost.revision);
});

/**
 * A gateway on a database that has a standby, which lacks the last task. `takeOver` ends all connections and puts the
 * standby at the same address.
 */
async function startBeforeFailover() {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...['kie-1', 'kie-2', 'kie-3'].map((id) => created(id)));
  const url = await emptyDatabase();
  const name = new URL(url).pathname.slice(1);
  const admin = new URL(url);
  admin.pathname = '/postgres';
  const run = (statement: string) => queryDatabase(admin.href, statement);
  const env = { DATABASE_URL: url };

  const first = await startGateway({ provider, env });
  await createTask(first);
  await first.close();
  await run(`create database ${name}_standby template ${name}`);
  onTestEnd(async () => {
    for (const suffix of ['_standby', '_primary'])
      await run(`drop database if exists ${name}${suffix} with (force)`);
  });
  const gateway = await startGateway({ provider, env });
  const lost = await createTask(gateway);

  async function takeOver(): Promise<void> {
    await run(`alter database ${name} allow_connections false`);
    await run(`select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '${name}'`);
    await run(`alter database ${name} rename to ${name}_primary`);
    await run(`alter database ${name}_standby rename to ${name}`);
  }
  return { gateway, lost, takeOver };
}

/** After how many events each connection is cut. */
const CUTS = [0, 1, 3, 0, 20, 2, 60];

describe.each(DOORS)('the recipe without a gap, over $name', ({ subscribe }) => {
  test('misses nothing across connections that are cut while tasks change all the time', async () => {
    const { gateway, store } = await startHeldGateway();
    const churn = startChurn(store);
    await churn.changed(20);

    const { tasks } = dataOf((await graphql(gateway.graphqlUrl, TASKS, { first: 100 })).body);
    const known = new Map(tasks.edges.map(({ node }) => [node.id, node.revision]));
    let { revision } = tasks;
    const take = (task: ApiTask): void => {
      expect(task.revision, 'an older state after a newer one').toBeGreaterThan(known.get(task.id) ?? 0);
      known.set(task.id, task.revision);
      revision = Math.max(revision, task.revision);
    };

    for (const events of CUTS) {
      const stream = await subscribe(gateway.graphqlUrl, {
        query: TASKS_UPDATED,
        variables: { after: revision },
      });
      for (let count = 0; count < events; count += 1) take((await stream.data()).tasksUpdated);
      stream.cut();
    }

    const newest = await churn.stop();
    const last = Math.max(...newest.values());
    const stream = await subscribe(gateway.graphqlUrl, {
      query: TASKS_UPDATED,
      variables: { after: revision },
    });
    while (revision < last) take((await stream.data()).tasksUpdated);
    expect(known).toEqual(newest);
    stream.cut();
    await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
  });
});

/** Tasks that change, and new ones that come, one commit after the other until it is stopped. */
function startChurn(store: TaskStore) {
  const tasks: VisibleRecord[] = [];
  let changes = 0;
  let isStopped = false;

  const step = async (): Promise<void> => {
    // Mostly the same few tasks again and again, in a fixed pattern, and now and then a new one.
    const index = (changes * 7) % 20;
    const task = changes % 10 === 0 ? undefined : tasks[index];
    if (task) tasks[index] = await change(store, task);
    else tasks.push(await addTask(store));
    changes += 1;
  };
  const run = async (): Promise<void> => {
    while (!isStopped) await step();
  };
  const running = run();

  return {
    changed: (count: number) => eventually(`${count} changes`, () => changes >= count),
    /** The newest revision of every task. */
    async stop(): Promise<ReadonlyMap<string, number>> {
      isStopped = true;
      await running;
      return new Map(tasks.map(({ id, revision }) => [id, revision]));
    },
  };
}
