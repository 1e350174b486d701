import { describe, expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { type ApiTask, TASKS_UPDATED } from '../kit/documents.ts';
import { DOORS, type DoorStream } from './doors.ts';
import { startHeldGateway } from './held-gateway.ts';
import { OWNER, addTask, change } from './stored-tasks.ts';
import { beginLife, startLifeGateway } from './task-life.ts';

type Stream = DoorStream<{ tasksUpdated: ApiTask }>;

describe.each(DOORS)('tasksUpdated over $name', ({ subscribe }) => {
  const watch = (url: string, after?: number | null): Promise<Stream> =>
    subscribe(url, { query: TASKS_UPDATED, variables: { after } });

  test('shows every change of every task, and never completes by itself', async () => {
    const kit = await startLifeGateway();
    const stream = await watch(kit.gateway.graphqlUrl, 0);
    const completed = stream.completed();
    completed.catch(() => undefined);
    const lives = [await beginLife(kit, 'kie-1'), await beginLife(kit, 'kie-2')];
    for (const { id } of lives)
      expect((await stream.data()).tasksUpdated).toMatchObject({ id, state: 'SUBMITTING' });

    for (const state of ['WAITING', 'GENERATING', 'SUCCESS'] as const)
      for (const { id, move } of lives) {
        await move(state);
        expect((await stream.data()).tasksUpdated).toMatchObject({ id, state });
      }
    await staysPending(completed);
    expect(kit.gateway.app.stats().listeners).toBe(1);
  });

  test.each([undefined, null])('without `after` (%s) shows only what is new', async (after) => {
    const { gateway, held, store } = await startHeldGateway();
    const old = await addTask(store);
    const attached = held.holdRead('changesAfter');
    const streaming = watch(gateway.graphqlUrl, after);
    await attached.reached;
    const added = await addTask(store);
    attached.release();
    const stream = await streaming;
    expect((await stream.data()).tasksUpdated.id).toBe(added.id);
    await change(store, old, { state: 'QUEUING' });
    expect((await stream.data()).tasksUpdated).toMatchObject({ id: old.id, state: 'QUEUING' });
  });

  test('with `after` shows first every task that changed since, in its newest state, in order, then what is live', async () => {
    const { gateway, store } = await startHeldGateway();
    const [untouched, once, often] = [await addTask(store), await addTask(store), await addTask(store)];
    const after = often.revision;
    const queuing = await change(store, often, { state: 'QUEUING' });
    await change(store, once, { state: 'QUEUING' });
    const generating = await change(store, queuing, { state: 'GENERATING' });
    const added = await addTask(store);

    const stream = await watch(gateway.graphqlUrl, after);
    const caughtUp = [await stream.data(), await stream.data(), await stream.data()];
    expect(caughtUp.map(({ tasksUpdated: { id, state } }) => [id, state])).toEqual([
      [once.id, 'QUEUING'],
      [often.id, 'GENERATING'],
      [added.id, 'WAITING'],
    ]);
    expect(caughtUp[1]?.tasksUpdated.revision).toBe(generating.revision);
    await change(store, untouched, { state: 'QUEUING' });
    expect((await stream.data()).tasksUpdated).toMatchObject({ id: untouched.id, state: 'QUEUING' });
  });

  test('a task whose presumed failure was overturned is shown again, as the success that it is', async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    const task = await addTask(store);
    const failure = { code: 'EXPIRED', providerCode: null, message: 'no final state' } as const;
    const expired = await change(store, task, { state: 'FAIL', failure, completedAt: 1 });
    const videos = [{ url: 'https://files.example/late.mp4', expiresAt: null }];
    await change(store, expired, { state: 'SUCCESS', failure: null, videos });
    let { tasksUpdated } = await stream.data();
    while (tasksUpdated.state !== 'SUCCESS') ({ tasksUpdated } = await stream.data());
    expect(tasksUpdated).toMatchObject({ id: task.id, failure: null, videos });
  });

  test.each([
    ['beyond the newest revision', 2],
    ['below zero', -1],
  ])('an `after` %s is answered with one BAD_USER_INPUT and completion', async (_, after) => {
    const { gateway, store } = await startHeldGateway();
    await addTask(store);
    const stream = await watch(gateway.graphqlUrl, after);
    expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    await stream.completed();
    expect(gateway.app.stats().listeners).toBe(0);
  });

  test.each([
    ['a fraction', 1.5],
    ['a string', '1'],
    ['beyond 2^53', 2 ** 53],
  ])('an `after` that is %s is refused before anything is read', async (_, after) => {
    const { attached, gateway } = await startHeldGateway();
    const refusal = await watch(gateway.graphqlUrl, after as number).then(async (stream) =>
      stream.next().then(
        ({ errors }) => errors,
        () => stream.errors(),
      ),
    );
    expect(JSON.stringify(refusal)).toContain('SafeInt');
    expect(attached()).toBe(0);
  });

  test("shows nothing of another owner's tasks", async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    await addTask(store, { owner: 'somebody else' });
    const mine = await addTask(store, { owner: OWNER });
    expect((await stream.data()).tasksUpdated.id).toBe(mine.id);
  });

  test('a thousand changes that share a few commits arrive each, in order', async () => {
    const { gateway, store } = await startHeldGateway();
    const stream = await watch(gateway.graphqlUrl, 0);
    const added = await Promise.all(Array.from({ length: 1000 }, () => addTask(store)));
    const newest = Math.max(...added.map(({ revision }) => revision));
    const seen: number[] = [];
    while (seen.at(-1) !== newest) seen.push((await stream.data()).tasksUpdated.revision);
    expect(seen).toEqual(added.map(({ revision }) => revision).sort((a, b) => a - b));
  });
});
