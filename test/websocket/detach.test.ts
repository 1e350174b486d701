import { describe, expect, test } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { graphql } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { DOORS } from './doors.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway, type HeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

const LONG_PROMPT = 'a film '.repeat(10_000);

/** Nothing tells when the server has noticed that a client is gone. */
function allGone({ attached, gateway }: HeldGateway, everAttached: number): Promise<void> {
  return eventually(
    `no listener is left of ${everAttached}`,
    () => attached() === everAttached && gateway.app.stats().listeners === 0,
  );
}

/** By the time this request is answered the server has seen what happened to other connections before it. */
async function roundTrip({ gateway }: HeldGateway): Promise<void> {
  await graphql(gateway.graphqlUrl, '{ __typename }');
}

async function addLongTasks(store: TaskStore, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => addTask(store, { prompt: LONG_PROMPT })));
}

describe.each(DOORS)('a client that is gone, over $name,', ({ begin, subscribe }) => {
  test('while its subscription waits leaves no listener behind', async () => {
    const kit = await startHeldGateway();
    const { app, graphqlUrl } = kit.gateway;
    const { id } = await addTask(kit.store);
    const one = await subscribe(graphqlUrl, { query: TASK_UPDATED, variables: { id } });
    await one.next();
    const all = await subscribe(graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    await all.next();
    expect(app.stats().listeners).toBe(2);
    one.cut();
    await eventually('one listener is left', () => app.stats().listeners === 1);
    all.cut();
    await allGone(kit, 2);
  });

  test.each([
    { when: 'its task is looked for', read: 'find', pass: 0, query: TASK_UPDATED, attaches: 0 },
    { when: 'its first state is read', read: 'find', pass: 1, query: TASK_UPDATED, attaches: 1 },
    {
      when: 'the newest revision is asked for',
      read: 'newestRevision',
      pass: 0,
      query: TASKS_UPDATED,
      attaches: 0,
    },
    { when: 'its first page is read', read: 'changesAfter', pass: 0, query: TASKS_UPDATED, attaches: 1 },
  ] as const)('while $when leaves no listener behind', async ({ attaches, pass, query, read }) => {
    const kit = await startHeldGateway();
    const { id } = await addTask(kit.store);
    if (pass === 1) kit.held.pass(read);
    const hold = kit.held.holdAnswer(read);
    const cut = await begin(kit.gateway.graphqlUrl, { query, variables: { id, after: 0 } });
    await hold.reached;
    cut();
    await eventually('no socket is open', () => kit.gateway.app.stats().sockets === 0);
    await roundTrip(kit);
    hold.release();
    await roundTrip(kit);
    await allGone(kit, attaches);
  });

  test('while events wait for it leaves no listener behind', async () => {
    const kit = await startHeldGateway();
    await addLongTasks(kit.store, 300);
    const hold = kit.held.holdRead('changesAfter');
    const cut = await begin(kit.gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    await hold.reached;
    hold.release();
    // More than the buffers between us take: an event is always on its way now.
    await roundTrip(kit);
    await addLongTasks(kit.store, 1);
    cut();
    await allGone(kit, 1);
  });
});

describe('a client over WebSocket', () => {
  test('that says `complete` is detached, and its other operations live on', async () => {
    const kit = await startHeldGateway();
    const { app, graphqlUrl } = kit.gateway;
    const task = await addTask(kit.store);
    const client = await openGraphqlWs(graphqlUrl);
    const one = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
    const all = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    await Promise.all([one.next(), all.next()]);
    one.stop();
    await eventually('one listener is left', () => app.stats().listeners === 1);
    await change(kit.store, task, { state: 'QUEUING' });
    expect((await all.data()).tasksUpdated.state).toBe('QUEUING');
    all.stop();
    await allGone(kit, 2);
    expect(app.stats().sockets).toBe(1);
  });

  test('that says `complete` while the store is still read is detached', async () => {
    const kit = await startHeldGateway();
    const { id } = await addTask(kit.store);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl);
    const hold = kit.held.holdAnswer('find');
    const watch = client.subscribe({ query: TASK_UPDATED, variables: { id } });
    await hold.reached;
    watch.stop();
    // Answered in order: once the ping is, the server has read the `complete`.
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
    hold.release();
    await roundTrip(kit);
    await allGone(kit, 0);
    expect(client.messages.filter(({ id: operation }) => operation === watch.id)).toEqual([]);
  });

  test('that uses an id again before the operation that had it is begun is refused it, and nothing is left behind', async () => {
    const kit = await startHeldGateway();
    const { id } = await addTask(kit.store);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl);
    const hold = kit.held.holdAnswer('find');
    const subscribe = () => client.subscribe({ query: TASK_UPDATED, variables: { id } }, 'the same');
    const first = subscribe();
    await hold.reached;
    first.stop();
    expect((await subscribe().errors())[0]?.message).toContain('the same');
    hold.release();
    await roundTrip(kit);
    await allGone(kit, 0);

    const third = subscribe();
    await third.next();
    expect(client.messages.filter(({ type }) => type === 'next')).toHaveLength(1);
    client.terminate();
    await allGone(kit, 1);
  });

  test('that completes an operation and uses its id again in one go is refused it, and nothing is left behind', async () => {
    const kit = await startHeldGateway();
    const { id } = await addTask(kit.store);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl);
    const subscribe = () => client.subscribe({ query: TASK_UPDATED, variables: { id } }, 'the same');
    const first = subscribe();
    await first.next();
    first.stop();
    expect((await subscribe().errors())[0]?.message).toContain('the same');

    const third = subscribe();
    await third.next();
    expect(client.messages.filter(({ type }) => type === 'complete')).toEqual([]);
    client.terminate();
    await allGone(kit, 2);
  });

  test('that sends `subscribe`, `complete` and `subscribe` in one go leaves no listener behind', async () => {
    const kit = await startHeldGateway();
    const { id } = await addTask(kit.store);
    const client = await openGraphqlWs(kit.gateway.graphqlUrl);
    for (let round = 0; round < 20; round += 1) {
      const watch = client.subscribe({ query: TASK_UPDATED, variables: { id } }, `round ${round}`);
      client.send({ type: 'complete', id: watch.id });
      client.subscribe({ query: TASK_UPDATED, variables: { id } }, watch.id);
    }
    client.send({ type: 'ping' });
    await client.message(({ type }) => type === 'pong');
    client.terminate();
    await eventually('the socket is gone', () => kit.gateway.app.stats().sockets === 0);
    await eventually('no listener is left', () => kit.gateway.app.stats().listeners === 0);
    await change(kit.store, await addTask(kit.store));
    expect(kit.gateway.app.stats().listeners).toBe(0);
  });
});
