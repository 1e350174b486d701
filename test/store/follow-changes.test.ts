import { describe, expect, it, vi } from 'vitest';
import { ReplicaChangeReader } from '../../src/store/replica-changes.ts';
import { onTestEnd } from '../support/leftovers.ts';
import { answer, change, commitOf, follow, start } from './hand-fed-follower.ts';

const PAGE = 500;

describe('a follower', () => {
  it('begins after the newest revision, and looks at once for what came meanwhile', async () => {
    const world = start({ newest: 10 });
    await world.follower.follow();
    expect(await answer(world, 11, 12)).toMatchObject({ after: 10 });
    expect(world.told).toEqual([11, 12]);
  });

  it('begins once, however many wait for it, and is there for those who come later', async () => {
    const world = start();
    await Promise.all([world.follower.follow(), world.follower.follow()]);
    await answer(world);
    await world.follower.follow();
    expect(world.readCount()).toBe(1);
  });

  it('reads page after page as long as they are full', async () => {
    const world = await follow({ newest: 0 });
    world.follower.wake();
    const full = Array.from({ length: PAGE }, (_, index) => index + 1);
    expect(await answer(world, ...full)).toMatchObject({ after: 0, limit: PAGE });
    expect(await answer(world, 501)).toMatchObject({ after: 500 });
    expect(world.told).toEqual([...full, 501]);
    expect(world.readCount()).toBe(3);
  });

  it('reads once more, and not more often, when it is woken while it reads', async () => {
    const world = await follow();
    world.follower.wake();
    for (let time = 0; time < 5; time += 1) world.follower.wake();
    await answer(world, 11);
    expect(await answer(world, 12)).toMatchObject({ after: 11 });
    expect(world.readCount()).toBe(3);
    expect(world.told).toEqual([11, 12]);
  });

  it('looks by itself every five seconds, for a wake-up may be lost', async () => {
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
  it('is told at once when it is the next one, without a read', async () => {
    const world = await follow();
    world.follower.committed(commitOf(11, 12));
    world.follower.committed(commitOf(13));
    expect(world.told).toEqual([11, 12, 13]);
    expect(world.readCount()).toBe(1);
  });

  it('that took revisions for nothing leaves no gap behind', async () => {
    const world = await follow();
    world.follower.committed({ before: 10, changes: [change(12)], last: 14 });
    world.follower.committed(commitOf(15));
    expect(world.told).toEqual([12, 15]);
  });

  it('that is ahead of others waits for them, and is read in its turn', async () => {
    const world = await follow();
    world.follower.committed(commitOf(12));
    expect(world.told).toEqual([]);
    await answer(world, 11, 12);
    expect(world.told).toEqual([11, 12]);
    expect(world.errors).toEqual([]);
  });

  it('is told after what is being read, and once, whether that read finds it or not', async () => {
    const world = await follow();
    world.follower.wake();
    world.follower.committed(commitOf(12));
    await answer(world, 11, 12);
    await answer(world);
    world.follower.wake();
    world.follower.committed(commitOf(14));
    await answer(world, 13);
    await answer(world, 14);
    expect(world.told).toEqual([11, 12, 13, 14]);
  });

  it('that was read before it was heard of is not told again', async () => {
    const world = await follow();
    world.follower.wake();
    await answer(world, 11);
    world.follower.committed(commitOf(11));
    await answer(world);
    expect(world.told).toEqual([11]);
  });
});

describe('a read that fails', () => {
  it('is reported and tried again, and nothing is lost or told twice', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestEnd(() => {
      vi.useRealTimers();
    });
    const world = await follow();
    world.follower.wake();
    const away = new Error('the database is away');
    (await world.reads.take()).reject(away);
    await new Promise(setImmediate);
    expect(world.errors).toEqual([away]);
    expect(world.readCount()).toBe(2);
    vi.advanceTimersByTime(500);
    expect(await answer(world, 11)).toMatchObject({ after: 10 });
    expect(world.told).toEqual([11]);
  });

  it('at the beginning is told to who waits for it, and the next one begins anew', async () => {
    const world = start();
    let isAway = true;
    const follower = new ReplicaChangeReader({
      audience: world.audience,
      newestRevision: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(10)),
      changesAfter: () => Promise.resolve([]),
      onError: (error) => world.errors.push(error),
    });
    onTestEnd(() => follower.stop());
    await expect(follower.follow()).rejects.toThrow('away');
    isAway = false;
    await follower.follow();
    await new Promise(setImmediate);
    follower.committed(commitOf(11));
    expect(world.told).toEqual([11]);
  });
});

describe('a store that has lost what was told', () => {
  it('is noticed by a revision below it, told once, and followed from there', async () => {
    const world = await follow({ newest: 10 });
    world.follower.committed(commitOf(11));
    world.store.newest = 9;
    world.follower.wake();
    await answer(world);
    expect(world.restarts).toEqual([11]);
    expect(await answer(world, 10)).toMatchObject({ after: 9 });
    expect(world.told).toEqual([11, 10]);
    expect(world.restarts).toHaveLength(1);
  });

  it('is followed from its newest revision when it was noticed elsewhere', async () => {
    const world = await follow({ newest: 10 });
    world.store.newest = 20;
    world.follower.rolledBack();
    expect(await answer(world, 21)).toMatchObject({ after: 20 });
    expect([world.restarts, world.told]).toEqual([[0], [21]]);
  });

  it('is nobody’s trouble while nobody listens', async () => {
    const world = await follow();
    world.audience.listeners = 0;
    world.follower.wake();
    world.follower.rolledBack();
    expect(world.restarts).toEqual([]);
  });
});

describe('a follower without listeners', () => {
  it('reads and tells nothing, whatever is committed', () => {
    const { follower, readCount, told } = start({ listeners: 0 });
    follower.wake();
    follower.committed(commitOf(11));
    expect([readCount(), told]).toEqual([0, []]);
  });

  it('does not read once more what it was woken for while the last one left', async () => {
    const world = await follow();
    world.follower.wake();
    world.follower.wake();
    world.audience.listeners = 0;
    await answer(world, 11);
    expect(world.readCount()).toBe(2);
  });

  it('forgets where it was, and begins at the newest revision for the next listener', async () => {
    const world = await follow({ newest: 10 });
    world.audience.listeners = 0;
    world.follower.wake();
    world.follower.committed(commitOf(11));
    expect(world.told).toEqual([]);
    world.audience.listeners = 1;
    await world.follower.follow();
    expect(await answer(world)).toMatchObject({ after: 10 });
  });

  it('that is stopped reads nothing more, and ends when it has read', async () => {
    const world = await follow();
    world.follower.wake();
    const stopped = world.follower.stop();
    world.follower.wake();
    await answer(world, 11);
    await stopped;
    expect(world.readCount()).toBe(2);
  });
});
