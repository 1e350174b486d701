import { describe, expect, it } from 'vitest';
import { deferred } from '../kit/waits.ts';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { created, refused } from '../kit/kie.ts';
import { create, createTask, findTask, listTasks, taskIdOf, taskOf } from './client.ts';

describe('task(id)', () => {
  it('finds a task by our id and by the id of the provider', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const [first, second] = [await createTask(gateway), await createTask(gateway)];
    expect(await findTask(gateway, first.id)).toEqual(first);
    expect(await findTask(gateway, 'kie-1')).toEqual(first);
    expect(await findTask(gateway, second.id)).toEqual(second);
    expect(await findTask(gateway, 'kie-2')).toEqual(second);
  });

  it.each([
    ['an id that nobody has', '00000000-0000-4000-8000-000000000000'],
    ['an empty id', ''],
    ['NUL', '\0'],
    ['half of a surrogate pair', '\ud83d'],
    ['a very long id', 'x'.repeat(100_000)],
    ['SQL', "' OR 1=1 --"],
  ])('is null for %s', async (_, id) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    await createTask(gateway);
    expect(await findTask(gateway, id)).toBeNull();
  });

  it('is null for a real id with a NUL behind it', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const { id } = await createTask(gateway);
    for (const name of [id, 'kie-1']) expect(await findTask(gateway, `${name}\0`)).toBeNull();
  });
});

/** No reader finds the task, under none of its names. */
async function expectInvisible(gateway: Gateway, ids: readonly string[]): Promise<void> {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  for (const id of ids) {
    expect(await findTask(gateway, id)).toBeNull();
    const stream = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    const { errors } = await stream.next();
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND' });
    await stream.completed();
  }
  for (const states of [[], ['SUBMITTING'], ['FAIL']]) {
    expect((await listTasks(gateway, { states })).edges).toEqual([]);
  }
}

describe('a task whose mutation has not answered', () => {
  it('is invisible until its outcome is known, and takes no revision', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const all = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });

    const mutation = create(gateway);
    const id = taskIdOf(await provider.received('createTask'));
    await expectInvisible(gateway, [id, 'kie-1']);
    expect((await listTasks(gateway)).revision).toBe(0);

    answer.resolve();
    const task = taskOf(await mutation);
    expect(task).toMatchObject({ id, state: 'WAITING', revision: 1 });
    // The first that anybody hears of it is its outcome.
    expect((await all.data()).tasksUpdated).toEqual(task);
    expect(await findTask(gateway, id)).toEqual(task);
    expect((await listTasks(gateway)).revision).toBe(1);
  });
});

describe('a task that the provider has refused', () => {
  it('stays invisible for ever, also to those who follow everything', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', refused(402, 'Insufficient credits'), created('kie-2'));
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const all = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });

    expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({ __typename: 'ProviderError' });
    const id = taskIdOf(await provider.received('createTask'));
    await expectInvisible(gateway, [id]);

    // Had it been announced, it would come before what comes after it.
    const next = await createTask(gateway, { idempotencyKey: 'one' });
    expect(next).toMatchObject({ revision: 1 });
    expect((await all.data()).tasksUpdated).toEqual(next);
    const late = socket.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    expect((await late.data()).tasksUpdated).toEqual(next);
    expect((await listTasks(gateway)).edges.map(({ node }) => node)).toEqual([next]);
  });
});
