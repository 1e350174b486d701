import { describe, expect, test } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { createWatchTasks, type TaskSubscription } from '../../src/tasks/subscriptions/subscription.ts';
import { startHeldGateway } from '../websocket/held-gateway.ts';
import { OWNER, addTask, change } from '../websocket/stored-tasks.ts';
import { staysPending } from '../kit/waits.ts';

describe('a subscription to all tasks', () => {
  test('without `after` delivers only later changes', async () => {
    const { ports, store } = await startHeldGateway();
    const [first] = await addTasks(store, 3);
    const watch = await createWatchTasks(ports)(OWNER, null);
    const next = watch.next();
    await staysPending(next);
    const changed = await change(store, first, { state: 'QUEUING' });
    expect((await next).value).toMatchObject({ id: first.id, revision: changed.revision });
  });

  test('does not miss a change between reading the newest revision and attaching to the feed', async () => {
    const { held, ports, store } = await startHeldGateway();
    await addTasks(store, 3);
    const gap = held.holdAnswer('newestRevision');
    const watching = createWatchTasks(ports)(OWNER, null);
    await gap.reached;
    const added = await addTask(store);
    gap.release();
    expect(await read(await watching, 1)).toEqual([added.revision]);
  });

  test.each(['holdRead', 'holdAnswer'] as const)(
    'changes while a page is read (%s) come once each, in order',
    async (hold) => {
      const { held, ports, store } = await startHeldGateway();
      const tasks = await addTasks(store, 3);
      const watch = await createWatchTasks(ports)(OWNER, 0);
      const gap = held[hold]('changesAfter');
      const first = watch.next();
      await gap.reached;
      const again = await change(store, tasks[0], { state: 'QUEUING' });
      const added = await addTask(store);
      gap.release();

      const seen = [(await first).value, ...(await take(watch, hold === 'holdRead' ? 3 : 4))];
      expect(seen.at(-1)?.revision).toBe(added.revision);
      expectInOrder(seen);
      expect(newestOf(seen).get(tasks[0].id)).toBe(again.revision);
    },
  );

  test.each([99, 100, 101, 250])(
    'more than one page (%i tasks) is caught up with in order',
    async (count) => {
      const { ports, store } = await startHeldGateway();
      const tasks = await addTasks(store, count);
      const watch = await createWatchTasks(ports)(OWNER, 0);
      const seen = await take(watch, count);
      expect(seen.map(({ revision }) => revision)).toEqual(tasks.map(({ revision }) => revision));
      const live = await addTask(store);
      expect(await read(watch, 1)).toEqual([live.revision]);
    },
  );

  test('delivers a task that changed several times once, in its newest state and order', async () => {
    const { ports, store } = await startHeldGateway();
    const [first, second, third] = await addTasks(store, 3);
    const queuing = await change(store, first, { state: 'QUEUING' });
    const generating = await change(store, queuing, { state: 'GENERATING' });
    const seen = await take(await createWatchTasks(ports)(OWNER, 0), 3);
    expect(seen.map(({ id }) => id)).toEqual([second.id, third.id, first.id]);
    expect(seen.at(-1)?.revision).toBe(generating.revision);
  });

  test.each(['holdRead', 'holdAnswer'] as const)(
    'however many changes come while a page is read (%s), and while the reader rests, none is lost',
    async (hold) => {
      const { held, ports, store } = await startHeldGateway();
      await addTasks(store, 5);
      const watch = await createWatchTasks(ports)(OWNER, 0);
      const gap = held[hold]('changesAfter');
      const first = watch.next();
      await gap.reached;
      const added = await addTasks(store, 130);
      gap.release();
      const seen = [await first.then(({ value }) => value)];
      const rested = await addTasks(store, 210);
      while (seen.at(-1)?.revision !== rested.at(-1)?.revision) seen.push((await watch.next()).value);
      expectInOrder(seen);
      const shown = newestOf(seen);
      expect(
        [...added, ...rested].filter(({ id }) => !shown.has(id)).map(({ revision }) => revision),
      ).toEqual([]);
    },
  );

  test('reads each page once for many concurrent catch-ups', async () => {
    const { held, ports, store } = await startHeldGateway();
    const tasks = await addTasks(store, 250);
    const watchTasks = createWatchTasks(ports);
    const seen = await Promise.all(
      Array.from({ length: 30 }, async (_, after) => {
        const { revisions } = followAll(await watchTasks(OWNER, after), tasks.at(-1)?.revision);
        return [after, await revisions] as const;
      }),
    );
    const all = tasks.map(({ revision }) => revision);
    for (const [after, revisions] of seen) expect(revisions).toEqual(all.slice(after));
    expect(held.reads('changesAfter')).toBe(3);
  });

  test('delivers at most one page per turn of the event loop', async () => {
    const { ports, store } = await startHeldGateway();
    const last = (await addTasks(store, 250)).at(-1)?.revision;
    const watchTasks = createWatchTasks(ports);
    const watches = await Promise.all(Array.from({ length: 10 }, () => watchTasks(OWNER, 0)));
    const followed = watches.map((watch) => followAll(watch, last));
    const pages = (): number => followed.reduce((sum, { flushes }) => sum + flushes(), 0);
    for (let brought = 0; brought < 30;) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(pages() - brought).toBeLessThan(2);
      brought = pages();
    }
    await Promise.all(followed.map(({ revisions }) => revisions));
  });

  test('delivers nothing of other owners', async () => {
    const { ports, store } = await startHeldGateway();
    await addTask(store, { owner: 'somebody else' });
    const watch = await createWatchTasks(ports)(OWNER, 0);
    const next = watch.next();
    await addTask(store, { owner: 'somebody else' });
    const mine = await addTask(store);
    expect((await next).value?.id).toBe(mine.id);
  });

  test('detaches at once when it ends during a read', async () => {
    const { held, ports, store } = await startHeldGateway();
    await addTask(store);
    const watch = await createWatchTasks(ports)(OWNER, 0);
    const gap = held.holdAnswer('changesAfter');
    const next = watch.next();
    await gap.reached;
    await watch.return();
    expect(ports.feed.size()).toBe(0);
    expect(await next).toEqual({ done: true, value: undefined });
    gap.release();
  });

  test('fails with the error of its first read, and detaches', async () => {
    const { held, ports, store } = await startHeldGateway();
    await addTasks(store, 150);
    const watch = await createWatchTasks(ports)(OWNER, 0);
    const failure = new Error('the disk is gone');
    held.pass('changesAfter');
    held.fail('changesAfter', failure);
    await take(watch, 100);
    await expect(watch.next()).rejects.toBe(failure);
    expect(ports.feed.size()).toBe(0);
  });

  test.each([-1, 4])('refuses an unknown revision as `after`: %i', async (after) => {
    const { ports, store } = await startHeldGateway();
    await addTasks(store, 3);
    await expect(createWatchTasks(ports)(OWNER, after)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(ports.feed.size()).toBe(0);
  });
});

type AtLeastThree = [VisibleRecord, VisibleRecord, VisibleRecord, ...VisibleRecord[]];

/** Adds tasks at the same time, so that they share commits and are told in one go; in order of revision. */
async function addTasks(store: TaskStore, count: number): Promise<AtLeastThree> {
  const added = await Promise.all(Array.from({ length: count }, () => addTask(store)));
  return added.sort((a, b) => a.revision - b.revision) as AtLeastThree;
}

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

async function take(watch: TaskSubscription, count: number): Promise<readonly VisibleRecord[]> {
  const seen: VisibleRecord[] = [];
  while (seen.length < count) {
    const { value } = await watch.next();
    if (!value) throw new Error('The watch ended by itself');
    seen.push(value);
  }
  return seen;
}

async function read(watch: TaskSubscription, count: number): Promise<readonly number[]> {
  return (await take(watch, count)).map(({ revision }) => revision);
}

function expectInOrder(seen: readonly (VisibleRecord | undefined)[]): void {
  const revisions = seen.map((record) => record?.revision ?? -1);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
}

function newestOf(seen: readonly (VisibleRecord | undefined)[]): ReadonlyMap<string, number> {
  return new Map(seen.map((record) => [record?.id ?? '', record?.revision ?? -1]));
}
