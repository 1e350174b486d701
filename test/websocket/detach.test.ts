import { describe, expect, test } from 'vitest';
import { StoreUnavailableError, type TaskStore } from '../../src/tasks/store.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { graphql, type GraphqlErrorBody, type GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { eventually } from './eventually.ts';
import { DOORS, type DoorStream, startHeldGateway, type HeldGateway } from './held-gateway.ts';
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

const SECRET = 'SQLITE_IOERR in /var/lib/secret/kineograph.db';

const FAILURES = [
  { error: new TypeError(SECRET), code: 'INTERNAL_SERVER_ERROR' },
  { error: new StoreUnavailableError(new Error(SECRET)), code: 'SERVICE_UNAVAILABLE' },
];

test.each(DOORS)(
  'over $name, a store that fails before the first event ends taskUpdated, with a masked error',
  async ({ subscribe }) => {
    const { gateway, held, store } = await startHeldGateway();
    const { id } = await addTask(store);
    for (const { code, error } of FAILURES)
      for (const reads of [0, 1]) {
        if (reads === 1) held.pass('find');
        held.fail('find', error);
        const stream = await subscribe(gateway.graphqlUrl, { query: TASK_UPDATED, variables: { id } });
        expectMasked(await readErrors(stream), code);
        expect(gateway.app.stats().listeners).toBe(0);
      }
  },
);

describe.each(DOORS)('over $name, in the middle of catching up,', ({ subscribe }) => {
  async function readHalf(error: Error) {
    const { gateway, held, store } = await startHeldGateway();
    const added = await Promise.all(Array.from({ length: 150 }, () => addTask(store)));
    held.pass('changesAfter');
    held.fail('changesAfter', error);
    const stream = await subscribe(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    const seen: number[] = [];
    for (let count = 0; count < 100; count += 1) seen.push((await stream.data()).tasksUpdated.revision);
    return { gateway, stream, seen, revisions: added.map(({ revision }) => revision).sort((a, b) => a - b) };
  }

  test('a store that is away makes tasksUpdated wait, and nothing is missed', async () => {
    const { revisions, seen, stream } = await readHalf(new StoreUnavailableError(new Error(SECRET)));
    while (seen.length < revisions.length) seen.push((await stream.data()).tasksUpdated.revision);
    expect(seen).toEqual(revisions);
  });

  test('a store that fails unexpectedly ends tasksUpdated, and a new one goes on', async () => {
    const { gateway, revisions, seen, stream } = await readHalf(new TypeError(SECRET));
    expectMasked(await readErrors(stream), 'INTERNAL_SERVER_ERROR');
    await eventually('no listener is left', () => gateway.app.stats().listeners === 0);
    const again = await subscribe(gateway.graphqlUrl, {
      query: TASKS_UPDATED,
      variables: { after: seen.at(-1) },
    });
    while (seen.length < revisions.length) seen.push((await again.data()).tasksUpdated.revision);
    expect(seen).toEqual(revisions);
  });
});

test('a subscription whose store fails does no harm to the others of its socket', async () => {
  const { gateway, held, store } = await startHeldGateway();
  const task = await addTask(store);
  const client = await openGraphqlWs(gateway.graphqlUrl);
  const watch = client.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
  await watch.next();
  held.fail('changesAfter', new TypeError(SECRET));
  const failing = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  expectMasked(await readErrors(failing), 'INTERNAL_SERVER_ERROR');
  await change(store, task, { state: 'QUEUING' });
  expect((await watch.data()).taskUpdated.state).toBe('QUEUING');
  expect(gateway.app.stats().listeners).toBe(1);
});

type Ending = Pick<DoorStream<unknown>, 'next' | 'errors' | 'completed'>;

/** The errors with which a stream ends: in an `error` message, or in a last result before it is completed. */
async function readErrors(stream: Ending): Promise<readonly GraphqlErrorBody[] | undefined> {
  const last = await stream.next().catch((): GraphqlResult<unknown> | null => null);
  if (!last) return stream.errors();
  await stream.completed();
  return last.errors;
}

function expectMasked(errors: readonly GraphqlErrorBody[] | undefined, code: string): void {
  expect(errors).toMatchObject([{ extensions: { code } }]);
  expect(JSON.stringify(errors)).not.toMatch(/SQLITE|secret|stack/i);
}
