import { describe, expect, test } from 'vitest';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { watchTask, type TaskSubscription } from '../../src/tasks/subscriptions/subscription.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { OWNER, addTask, change } from '../websocket/stored-tasks.ts';
import { staysPending } from '../kit/waits.ts';

const SUCCESS = {
  state: 'SUCCESS',
  videos: [{ url: 'https://files.example/done.mp4', expiresAt: null }],
  completedAt: 1,
} as const;

describe('a subscription to one task', () => {
  test('does not miss a change between reading the task and attaching to the feed', async () => {
    const { held, ports, store } = await startHeldGateway();
    const task = await addTask(store);
    const gap = held.holdAnswer('find');
    const watching = watchTask(ports, OWNER, task.id, null);
    await gap.reached;
    await change(store, task, SUCCESS);
    gap.release();
    expect(await statesOf(await watching)).toEqual(['SUCCESS']);
    expect(ports.feed.size()).toBe(0);
  });

  test.each(['holdRead', 'holdAnswer'] as const)(
    'a change while the first state is read (%s) comes once, and no older state follows it',
    async (hold) => {
      const { held, ports, store } = await startHeldGateway();
      const task = await addTask(store);
      const watch = await watchTask(ports, OWNER, task.id, null);
      const gap = held[hold]('find');
      const first = watch.next();
      await gap.reached;
      const queuing = await change(store, task, { state: 'QUEUING' });
      const generating = await change(store, queuing, { state: 'GENERATING' });
      gap.release();
      expect(stateOf(await first)).toBe('GENERATING');
      const second = watch.next();
      await staysPending(second);
      await change(store, generating, SUCCESS);
      expect(stateOf(await second)).toBe('SUCCESS');
      expect((await watch.next()).done).toBe(true);
    },
  );

  test.each(['holdRead', 'holdAnswer'] as const)(
    'an end while the first state is read (%s) is the only thing it shows',
    async (hold) => {
      const { held, ports, store } = await startHeldGateway();
      const task = await addTask(store);
      const watch = await watchTask(ports, OWNER, task.id, null);
      const gap = held[hold]('find');
      const states = statesOf(watch);
      await gap.reached;
      await change(store, task, SUCCESS);
      gap.release();
      expect(await states).toEqual(['SUCCESS']);
      expect(ports.feed.size()).toBe(0);
    },
  );

  test('may skip states for a slow reader, never the last one', async () => {
    const { ports, store } = await startHeldGateway();
    let task = await addTask(store);
    const watch = await watchTask(ports, OWNER, task.id, null);
    expect(stateOf(await watch.next())).toBe('WAITING');
    for (const state of ['QUEUING', 'GENERATING'] as const) task = await change(store, task, { state });
    await change(store, task, SUCCESS);
    expect(await statesOf(watch)).toEqual(['SUCCESS']);
  });

  test('delivers a real outcome in place of an unread presumed FAIL', async () => {
    const { ports, store } = await startHeldGateway();
    const task = await addTask(store);
    const watch = await watchTask(ports, OWNER, task.id, task.revision);
    const failure = { code: 'EXPIRED', providerCode: null, message: 'no final state' } as const;
    const expired = await change(store, task, { state: 'FAIL', failure, completedAt: 1 });
    await change(store, expired, { ...SUCCESS, failure: null });
    expect(await statesOf(watch)).toEqual(['SUCCESS']);
  });

  test('ends without a state when `after` is the revision of the final state', async () => {
    const { ports, store } = await startHeldGateway();
    const done = await change(store, await addTask(store), SUCCESS);
    expect(await statesOf(await watchTask(ports, OWNER, done.id, done.revision))).toEqual([]);
    expect(await statesOf(await watchTask(ports, OWNER, done.id, done.revision - 1))).toEqual(['SUCCESS']);
  });

  test('treats a task of another owner as unknown', async () => {
    const { ports, store } = await startHeldGateway();
    const theirs = await addTask(store, { owner: 'somebody else' });
    const errors = await Promise.all(
      [theirs.id, 'no-such-task'].map((id) =>
        watchTask(ports, OWNER, id, null).catch((error: unknown) => error),
      ),
    );
    expect(errors).toMatchObject([{ code: 'NOT_FOUND' }, { code: 'NOT_FOUND' }]);
    expect(ports.feed.size()).toBe(0);
  });

  test('fails with the error of its first read, and detaches', async () => {
    const { held, ports, store } = await startHeldGateway();
    const task = await addTask(store);
    const watch = await watchTask(ports, OWNER, task.id, null);
    const failure = new Error('the disk is gone');
    held.fail('find', failure);
    await expect(watch.next()).rejects.toBe(failure);
    expect(ports.feed.size()).toBe(0);
  });
});

function stateOf({ value }: IteratorResult<VisibleRecord, undefined>): string | undefined {
  return value?.state;
}

/** Reads a watch that is to end by itself. */
async function statesOf(watch: TaskSubscription): Promise<readonly string[]> {
  const states: string[] = [];
  for await (const { state } of watch) states.push(state);
  return states;
}
