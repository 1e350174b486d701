import { describe, expect, test } from 'vitest';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import type { GraphqlErrorBody, GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { DOORS, type DoorStream } from './doors.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

const SECRET = 'SQLITE_IOERR in /var/lib/secret/kineograph.db';

const FAILURES = [
  { what: 'fails unexpectedly', error: new TypeError(SECRET), code: 'INTERNAL_SERVER_ERROR' },
  { what: 'is away', error: new StoreUnavailableError(new Error(SECRET)), code: 'SERVICE_UNAVAILABLE' },
];

describe.each(DOORS)('over $name', ({ subscribe }) => {
  describe.each(FAILURES)('a store that $what', ({ code, error }) => {
    test('before the first event ends taskUpdated, and says nothing of its inside', async () => {
      const { gateway, held, store } = await startHeldGateway();
      const { id } = await addTask(store);
      held.fail('find', error);
      const stream = await subscribe(gateway.graphqlUrl, { query: TASK_UPDATED, variables: { id } });
      expectMasked(await readErrors(stream), code);
      expect(gateway.app.stats().listeners).toBe(0);
    });

    test('when the first event is read ends taskUpdated, and says nothing of its inside', async () => {
      const { gateway, held, store } = await startHeldGateway();
      const { id } = await addTask(store);
      held.pass('find');
      held.fail('find', error);
      const stream = await subscribe(gateway.graphqlUrl, { query: TASK_UPDATED, variables: { id } });
      expectMasked(await readErrors(stream), code);
      expect(gateway.app.stats().listeners).toBe(0);
    });
  });
});

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
