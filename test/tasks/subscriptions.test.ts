import { describe, expect, test } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { StoreUnavailableError, type TaskStore } from '../../src/tasks/store.ts';
import {
  createWatchTasks,
  watchTask,
  type TaskSubscription,
} from '../../src/tasks/subscriptions/subscription.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { staysPending } from '../kit/waits.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { OWNER, addTask, change } from '../websocket/stored-tasks.ts';

const DONE = { done: true, value: undefined };
const SUCCESS = {
  state: 'SUCCESS',
  videos: [{ url: 'https://files.example/done.mp4', expiresAt: null }],
  completedAt: 1,
} as const;
const HOLDS = ['holdRead', 'holdAnswer'] as const;

/** One task that the provider has taken, and a subscription to it. */
async function startOne() {
  const kit = await startHeldGateway();
  const task = await addTask(kit.store);
  return { ...kit, task, watch: await watchTask(kit.ports, OWNER, task.id, null) };
}

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

  test.each(HOLDS)(
    'a change while its state is read (%s) comes once, and nothing older follows',
    async (hold) => {
      const { held, store, task, watch } = await startOne();
      const gap = held[hold]('find');
      const first = watch.next();
      await gap.reached;
      const generating = await change(store, await change(store, task, { state: 'QUEUING' }), {
        state: 'GENERATING',
      });
      gap.release();
      expect((await first).value?.state).toBe('GENERATING');
      const second = watch.next();
      await staysPending(second);
      await change(store, generating, SUCCESS);
      expect((await second).value?.state).toBe('SUCCESS');
      expect(await watch.next()).toEqual(DONE);
    },
  );

  test('gives the end that another replica wrote, also when the feed brings an older state while it is read', async () => {
    const { ports, store } = await startHeldGateway();
    const task = await addTask(store);
    const find: TaskStore['find'] = () => {
      ports.feed.publish([{ ...task, state: 'QUEUING', revision: task.revision + 1 }]);
      return Promise.resolve({ ...task, ...SUCCESS, revision: task.revision + 2 });
    };
    const watch = await watchTask({ ...ports, store: { ...store, find } }, OWNER, task.id, null);
    expect(await statesOf(watch)).toEqual(['SUCCESS']);
  });

  test('may skip states for a slow reader, never the last one, nor the real outcome after a presumed FAIL', async () => {
    const { ports, store, task, watch } = await startOne();
    expect((await watch.next()).value?.state).toBe('WAITING');
    const queuing = await change(store, task, { state: 'QUEUING' });
    const failure = { code: 'EXPIRED', providerCode: null, message: 'no final state' } as const;
    const expired = await change(store, queuing, { state: 'FAIL', failure, completedAt: 1 });
    await change(store, expired, { ...SUCCESS, failure: null });
    expect(await statesOf(watch)).toEqual(['SUCCESS']);
    expect(ports.feed.size()).toBe(0);
  });

  test('ends without a state when `after` is the revision of the final state', async () => {
    const { ports, store } = await startHeldGateway();
    const done = await change(store, await addTask(store), SUCCESS);
    expect(await statesOf(await watchTask(ports, OWNER, done.id, done.revision))).toEqual([]);
    expect(await statesOf(await watchTask(ports, OWNER, done.id, done.revision - 1))).toEqual(['SUCCESS']);
  });

  test('attaches with the first next(), refuses a second one, and ends at once by return()', async () => {
    const { attached, ports, watch } = await startOne();
    expect(attached()).toBe(0);
    await watch.next();
    const next = watch.next();
    await expect(watch.next()).rejects.toThrow('another next() is pending');
    expect(await watch.return()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    expect(ports.feed.size()).toBe(0);
    expect(attached()).toBe(1);
  });

  test('fails once with the error of its first read, and detaches', async () => {
    const { held, ports, watch } = await startOne();
    const failure = new Error('the disk is gone');
    held.fail('find', failure);
    await expect(watch.next()).rejects.toBe(failure);
    expect(await watch.next()).toEqual(DONE);
    expect(ports.feed.size()).toBe(0);
  });
});

type AtLeastThree = [VisibleRecord, VisibleRecord, VisibleRecord, ...VisibleRecord[]];

/** Adds tasks at the same time, so that they share commits and are told in one go; in order of revision. */
async function addTasks(store: TaskStore, count: number): Promise<AtLeastThree> {
  const added = await Promise.all(Array.from({ length: count }, () => addTask(store)));
  return added.sort((a, b) => a.revision - b.revision) as AtLeastThree;
}

/** So many tasks, and a subscription to all tasks after a revision. */
async function startAll(count: number, after: number | null = 0) {
  const kit = await startHeldGateway();
  const tasks = await addTasks(kit.store, count);
  return { ...kit, tasks, watch: await createWatchTasks(kit.ports)(OWNER, after) };
}

describe('a subscription to all tasks', () => {
  test('without `after` delivers only later changes, also one between its first read and attaching', async () => {
    const { held, ports, store, tasks, watch } = await startAll(3, null);
    const next = watch.next();
    await staysPending(next);
    const changed = await change(store, tasks[0], { state: 'QUEUING' });
    expect((await next).value).toMatchObject({ id: tasks[0].id, revision: changed.revision });

    const gap = held.holdAnswer('newestRevision');
    const watching = createWatchTasks(ports)(OWNER, null);
    await gap.reached;
    const added = await addTask(store);
    gap.release();
    expect(revisionsOf(await take(await watching, 1))).toEqual([added.revision]);
  });

  test.each([99, 100, 101, 250])('catches up with more than one page (%i tasks) in order', async (count) => {
    const { store, tasks, watch } = await startAll(count);
    expect(revisionsOf(await take(watch, count))).toEqual(revisionsOf(tasks));
    const live = await addTask(store);
    expect(revisionsOf(await take(watch, 1))).toEqual([live.revision]);
  });

  test('delivers a task that changed several times once, in its newest state and order, and nothing of other owners', async () => {
    const { ports, store, tasks } = await startAll(3);
    await addTask(store, { owner: 'somebody else' });
    const queuing = await change(store, tasks[0], { state: 'QUEUING' });
    const generating = await change(store, queuing, { state: 'GENERATING' });
    const seen = await take(await createWatchTasks(ports)(OWNER, 0), 3);
    expect(seen.map(({ id }) => id)).toEqual([tasks[1].id, tasks[2].id, tasks[0].id]);
    expect(seen.at(-1)?.revision).toBe(generating.revision);
  });

  test.each(HOLDS)(
    'loses nothing of many changes while a page is read (%s) and while the reader rests, and keeps few of them',
    async (hold) => {
      const { held, store, watch } = await startAll(5);
      const gap = held[hold]('changesAfter');
      const first = watch.next();
      await gap.reached;
      const added = await addTasks(store, 130);
      gap.release();
      const seen = [...(await take({ next: () => first }, 1))];
      const rested = await addTasks(store, 210);
      const reads = held.reads('changesAfter');
      while (seen.at(-1)?.revision !== rested.at(-1)?.revision) seen.push(...(await take(watch, 1)));
      const revisions = revisionsOf(seen);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(new Set(revisions)).toEqual(new Set([...revisions, ...revisionsOf([...added, ...rested])]));
      // What was told while it rested is read again from the store.
      expect(held.reads('changesAfter')).toBeGreaterThan(reads);
    },
  );

  test('reads each page once for many concurrent catch-ups, and delivers each in a turn of its owner', async () => {
    const { held, ports, tasks } = await startAll(250);
    const line: (() => void)[] = [];
    const inTurn: TaskPorts['inTurn'] = (owner, begin) =>
      new Promise((resolve) => {
        expect(owner).toBe(OWNER);
        line.push(() => {
          resolve(begin());
        });
      });
    const watchTasks = createWatchTasks({ ...ports, inTurn });
    const last = tasks.at(-1)?.revision;
    const watches = await Promise.all(Array.from({ length: 30 }, (_, after) => watchTasks(OWNER, after)));
    const followed = watches.map((watch) => followAll(watch, last));
    const pages = (): number => followed.reduce((sum, { flushes }) => sum + flushes(), 0);
    for (let delivered = 0; delivered < 90;) {
      line.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
      expect(pages() - delivered).toBeLessThan(2);
      delivered = pages();
    }
    for (const [after, { revisions }] of followed.entries())
      expect(await revisions).toEqual(revisionsOf(tasks).slice(after));
    expect(held.reads('changesAfter')).toBe(3);
  });

  test('detaches at once when it ends during a read', async () => {
    const { held, ports, watch } = await startAll(3);
    const gap = held.holdAnswer('changesAfter');
    const next = watch.next();
    await gap.reached;
    await watch.return();
    expect(ports.feed.size()).toBe(0);
    expect(await next).toEqual(DONE);
    gap.release();
  });

  test('waits during an outage of the store, does not read once it has ended, and fails with any other error', async () => {
    const { held, ports } = await startAll(150);
    const clock = createStandingClock();
    const onClock: TaskPorts = { ...ports, clock };
    for (const error of [new StoreUnavailableError('away'), new TypeError('broken')]) {
      const watch = await createWatchTasks(onClock)(OWNER, 0);
      held.pass('changesAfter');
      held.fail('changesAfter', error);
      await take(watch, 100);
      const next = watch.next();
      if (error instanceof TypeError) await expect(next).rejects.toBe(error);
      else {
        await staysPending(next);
        await watch.return();
        const reads = held.reads('changesAfter');
        clock.advance(10_000);
        expect(held.reads('changesAfter')).toBe(reads);
      }
      expect(ports.feed.size()).toBe(0);
    }
  });

  test.each([-1, 4])('refuses an unknown revision as `after`: %i', async (after) => {
    const { ports } = await startAll(3);
    await expect(createWatchTasks(ports)(OWNER, after)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(ports.feed.size()).toBe(0);
  });
});

/** Has a watch bring everything up to a revision to a sink that is never full. */
function followAll(watch: TaskSubscription, last: number | undefined) {
  let flushes = 0;
  const revisions = new Promise<readonly number[]>((resolve, reject) => {
    const seen: number[] = [];
    const following = watch.follow({
      take: ({ revision }) => seen.push(revision),
      flush: () => {
        flushes += 1;
        if (seen.at(-1) !== last) return;
        following.stop();
        resolve(seen);
      },
      isFull: () => false,
      end: () => undefined,
      fail: reject,
    });
  });
  return { revisions, flushes: () => flushes };
}

/** Reads a watch that is to end by itself. */
async function statesOf(watch: TaskSubscription): Promise<readonly string[]> {
  const states: string[] = [];
  for await (const { state } of watch) states.push(state);
  return states;
}

async function take(watch: Pick<TaskSubscription, 'next'>, count: number): Promise<readonly VisibleRecord[]> {
  const seen: VisibleRecord[] = [];
  while (seen.length < count) {
    const { value } = await watch.next();
    if (!value) throw new Error('The watch ended by itself');
    seen.push(value);
  }
  return seen;
}

function revisionsOf(records: readonly VisibleRecord[]): readonly number[] {
  return records.map(({ revision }) => revision);
}
