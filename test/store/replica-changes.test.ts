import { describe, expect, it, vi } from 'vitest';
import { ReplicaChangeReader } from '../../src/store/replica-changes.ts';
import { onTestEnd, deferred, type Deferred, createQueue } from '../kit/waits.ts';
import type { Commit } from '../../src/store/writer-queue.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { hiddenTask } from './records.ts';

const PAGE = 500;

/** A task that was changed with this revision. */
function change(revision: number): VisibleRecord {
  return { ...hiddenTask(), revision };
}

/** A commit of this process that took these revisions, each for a change. */
function commitOf(...revisions: readonly [number, ...number[]]): Commit {
  return { before: revisions[0] - 1, changes: revisions.map(change), last: revisions.at(-1) ?? 0 };
}

/** A read that the test answers. */
interface Read extends Deferred<readonly VisibleRecord[]> {
  readonly after: number;
  readonly limit: number;
}

/** A reader on a scripted store. `told` lists the published revisions in order. */
function start({ newest = 10, listeners = 1 } = {}) {
  const told: number[] = [];
  const errors: unknown[] = [];
  const reads = createQueue<Read>('a read of changes');
  const audience = {
    listeners,
    publish: (changes: readonly VisibleRecord[]) =>
      void told.push(...changes.map(({ revision }) => revision)),
    size: () => audience.listeners,
    restart: () => {
      restarts.push(told.at(-1) ?? 0);
    },
  };
  const restarts: number[] = [];
  const store = { newest };
  let read = 0;
  const reader = new ReplicaChangeReader({
    audience,
    newestRevision: () => Promise.resolve(store.newest),
    changesAfter: (after, limit) => {
      const answer = deferred<readonly VisibleRecord[]>();
      read += 1;
      reads.push({ ...answer, after, limit });
      return answer.promise;
    },
    onError: (error) => errors.push(error),
  });
  onTestEnd(() => {
    void reader.stop();
  });
  return { audience, errors, reader, readCount: () => read, reads, restarts, store, told };
}

/** The same, after its start. */
async function follow(options: Parameters<typeof start>[0] = {}) {
  const world = start(options);
  await world.reader.follow();
  await answer(world);
  return world;
}

/** Answers the oldest read that is open, and lets the reader continue. */
async function answer({ reads, store }: ReturnType<typeof start>, ...revisions: number[]): Promise<Read> {
  const read = await reads.take();
  store.newest = Math.max(store.newest, ...revisions);
  read.resolve(revisions.map(change));
  await new Promise(setImmediate);
  return read;
}

describe('a reader', () => {
  it('the reader starts at the newest revision and reads what followed', async () => {
    const world = start({ newest: 10 });
    await world.reader.follow();
    expect(await answer(world, 11, 12)).toMatchObject({ after: 10 });
    expect(world.told).toEqual([11, 12]);
  });

  it('the reader starts once for all who follow', async () => {
    const world = start();
    await Promise.all([world.reader.follow(), world.reader.follow()]);
    await answer(world);
    await world.reader.follow();
    expect(world.readCount()).toBe(1);
  });

  it('the reader reads on while pages are full', async () => {
    const world = await follow({ newest: 0 });
    world.reader.wake();
    const full = Array.from({ length: PAGE }, (_, index) => index + 1);
    expect(await answer(world, ...full)).toMatchObject({ after: 0, limit: PAGE });
    expect(await answer(world, 501)).toMatchObject({ after: 500 });
    expect(world.told).toEqual([...full, 501]);
    expect(world.readCount()).toBe(3);
  });

  it('wake-ups during a read cause one more read', async () => {
    const world = await follow();
    world.reader.wake();
    for (let time = 0; time < 5; time += 1) world.reader.wake();
    await answer(world, 11);
    expect(await answer(world, 12)).toMatchObject({ after: 11 });
    expect(world.readCount()).toBe(3);
    expect(world.told).toEqual([11, 12]);
  });

  it('the reader polls every five seconds, because wake-ups may be lost', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestEnd(() => {
      vi.useRealTimers();
    });
    const world = await follow();
    vi.advanceTimersByTime(5000);
    expect(await answer(world, 11)).toMatchObject({ after: 10 });
    expect(world.told).toEqual([11]);
  });
});

describe('a commit of the own process', () => {
  it('a commit of this process that comes next is published without a read', async () => {
    const world = await follow();
    world.reader.committed(commitOf(11, 12));
    world.reader.committed(commitOf(13));
    expect(world.told).toEqual([11, 12, 13]);
    expect(world.readCount()).toBe(1);
  });

  it('unused revisions of a commit leave no gap', async () => {
    const world = await follow();
    world.reader.committed({ before: 10, changes: [change(12)], last: 14 });
    world.reader.committed(commitOf(15));
    expect(world.told).toEqual([12, 15]);
  });

  it('a commit of this process that is ahead of others is read in order', async () => {
    const world = await follow();
    world.reader.committed(commitOf(12));
    expect(world.told).toEqual([]);
    await answer(world, 11, 12);
    expect(world.told).toEqual([11, 12]);
    expect(world.errors).toEqual([]);
  });

  it('a commit of this process during a read is published once and in order', async () => {
    const world = await follow();
    world.reader.wake();
    world.reader.committed(commitOf(12));
    await answer(world, 11, 12);
    await answer(world);
    world.reader.wake();
    world.reader.committed(commitOf(14));
    await answer(world, 13);
    await answer(world, 14);
    expect(world.told).toEqual([11, 12, 13, 14]);
  });

  it('a commit of this process that was already read is not published again', async () => {
    const world = await follow();
    world.reader.wake();
    await answer(world, 11);
    world.reader.committed(commitOf(11));
    await answer(world);
    expect(world.told).toEqual([11]);
  });
});

describe('a read that fails', () => {
  it('a failed read is reported and retried without loss or repetition', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestEnd(() => {
      vi.useRealTimers();
    });
    const world = await follow();
    world.reader.wake();
    const away = new Error('the database is away');
    (await world.reads.take()).reject(away);
    await new Promise(setImmediate);
    expect(world.errors).toEqual([away]);
    expect(world.readCount()).toBe(2);
    vi.advanceTimersByTime(500);
    expect(await answer(world, 11)).toMatchObject({ after: 10 });
    expect(world.told).toEqual([11]);
  });

  it('a failed start rejects, and the next one starts again', async () => {
    const world = start();
    let isAway = true;
    const reader = new ReplicaChangeReader({
      audience: world.audience,
      newestRevision: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(10)),
      changesAfter: () => Promise.resolve([]),
      onError: (error) => world.errors.push(error),
    });
    onTestEnd(() => reader.stop());
    await expect(reader.follow()).rejects.toThrow('away');
    isAway = false;
    await reader.follow();
    await new Promise(setImmediate);
    reader.committed(commitOf(11));
    expect(world.told).toEqual([11]);
  });
});

describe('a store that has lost what was told', () => {
  it('a newest revision below the cursor restarts the listeners once', async () => {
    const world = await follow({ newest: 10 });
    world.reader.committed(commitOf(11));
    world.store.newest = 9;
    world.reader.wake();
    await answer(world);
    expect(world.restarts).toEqual([11]);
    expect(await answer(world, 10)).toMatchObject({ after: 9 });
    expect(world.told).toEqual([11, 10]);
    expect(world.restarts).toHaveLength(1);
  });

  it('after a reported rollback the reader starts at the newest revision', async () => {
    const world = await follow({ newest: 10 });
    world.store.newest = 20;
    world.reader.rolledBack();
    expect(await answer(world, 21)).toMatchObject({ after: 20 });
    expect([world.restarts, world.told]).toEqual([[0], [21]]);
  });

  it('a rollback without listeners restarts nobody', async () => {
    const world = await follow();
    world.audience.listeners = 0;
    world.reader.wake();
    world.reader.rolledBack();
    expect(world.restarts).toEqual([]);
  });
});

describe('a reader without listeners', () => {
  it('a reader without listeners reads and publishes nothing', () => {
    const { reader, readCount, told } = start({ listeners: 0 });
    reader.wake();
    reader.committed(commitOf(11));
    expect([readCount(), told]).toEqual([0, []]);
  });

  it('a reader stops once the last listener leaves', async () => {
    const world = await follow();
    world.reader.wake();
    world.reader.wake();
    world.audience.listeners = 0;
    await answer(world, 11);
    expect(world.readCount()).toBe(2);
  });

  it('a reader starts at the newest revision for the next listener', async () => {
    const world = await follow({ newest: 10 });
    world.audience.listeners = 0;
    world.reader.wake();
    world.reader.committed(commitOf(11));
    expect(world.told).toEqual([]);
    world.audience.listeners = 1;
    await world.reader.follow();
    expect(await answer(world)).toMatchObject({ after: 10 });
  });

  it('stopping the reader waits for the read in flight and starts no other', async () => {
    const world = await follow();
    world.reader.wake();
    const stopped = world.reader.stop();
    world.reader.wake();
    await answer(world, 11);
    await stopped;
    expect(world.readCount()).toBe(2);
  });
});
