import { describe, expect, test } from 'vitest';
import { SubscriptionCursor, type ChangeSink } from '../../src/tasks/subscriptions/cursor.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { scriptedSource } from './scripted-source.ts';

/** A follower whose source the test plays, and whose sink is full whenever the test says so. */
function follow(options: Parameters<typeof scriptedSource>[0] & { readonly after?: number } = {}) {
  const script = scriptedSource(options);
  const seen: (number | string)[] = [];
  const retries: (() => void)[] = [];
  let cancelled = 0;
  const room = { left: Infinity };
  const sink: ChangeSink = {
    take: ({ revision }) => {
      room.left -= 1;
      seen.push(revision);
    },
    flush: () => seen.push('flush'),
    isFull: () => room.left <= 0,
    end: () => seen.push('end'),
    fail: (error) => seen.push(String(error)),
  };
  const following = new SubscriptionCursor(script.source, options.after ?? 0, sink, (run) => {
    retries.push(run);
    return () => (cancelled += 1);
  });
  const revisions = (): readonly unknown[] => seen.filter((what) => what !== 'flush');
  return { ...script, cancelled: () => cancelled, following, retries, revisions, room, seen };
}

/** Lets what follows from an answer happen: the source's promise, and what waits for it. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a follower', () => {
  test('brings what it reads first, then what it is told, and flushes after each', async () => {
    const { nextRead, seen, tell } = follow({ after: 3 });
    const read = await nextRead();
    expect(read.after).toBe(3);
    read.answer([4, 5]);
    await settled();
    tell(6, 7);
    expect(seen).toEqual([4, 5, 'flush', 6, 7, 'flush']);
  });

  test('brings what it is told during a read after what it reads, each once', async () => {
    const { nextRead, revisions, tell } = follow();
    const read = await nextRead();
    tell(1, 2);
    tell(3);
    read.answer([1, 2]);
    await settled();
    expect(revisions()).toEqual([1, 2, 3]);
  });

  test('reads on from where it is as long as there is more, and drops what it was told meanwhile', async () => {
    const { nextRead, revisions, tell } = follow();
    (await nextRead()).answer([1, 2], { hasMore: true });
    const second = await nextRead();
    expect(second.after).toBe(2);
    tell(9);
    second.answer([3, 9]);
    await settled();
    expect(revisions()).toEqual([1, 2, 3, 9]);
  });

  test('reads again when more came during a read than it keeps', async () => {
    const { nextRead, revisions, tell } = follow();
    const read = await nextRead();
    tell(...Array.from({ length: 101 }, (_, index) => index + 2));
    read.answer([1]);
    const again = await nextRead();
    expect(again.after).toBe(1);
    again.answer([102]);
    await settled();
    expect(revisions()).toEqual([1, 102]);
  });

  test('brings nothing that is not newer than what it brought', async () => {
    const { nextRead, revisions, tell } = follow({ after: 5 });
    (await nextRead()).answer([7]);
    await settled();
    tell(4, 6, 7, 8);
    tell(8);
    expect(revisions()).toEqual([7, 8]);
  });

  test('rests while its sink is full, keeps nothing, and reads from where it came to when there is room', async () => {
    const { following, nextRead, revisions, room, tell } = follow();
    (await nextRead()).answer([]);
    await settled();
    room.left = 2;
    tell(1, 2, 3);
    tell(4);
    expect(revisions()).toEqual([1, 2]);
    room.left = Infinity;
    following.resume();
    expect((await nextRead()).after).toBe(2);
  });

  test('that rests reads once it is resumed, and only then', async () => {
    const { following, nextRead, revisions, room, tell } = follow();
    following.resume();
    const first = await nextRead();
    room.left = 1;
    first.answer([1, 2, 3]);
    await settled();
    room.left = Infinity;
    following.resume();
    following.resume();
    const read = await nextRead();
    expect(read.after).toBe(1);
    read.answer([3]);
    await settled();
    following.resume();
    tell(4);
    expect(revisions()).toEqual([1, 3, 4]);
  });

  test('brings only the newest of several where that is enough', async () => {
    const { nextRead, revisions, tell } = follow({ isNewestEnough: true });
    const read = await nextRead();
    tell(2);
    tell(3);
    read.answer([1]);
    await settled();
    tell(4, 5);
    expect(revisions()).toEqual([3, 5]);
  });

  test.each([
    ['read', [] as readonly number[]],
    ['told while it reads', [2]],
  ])('ends with the last change when that is %s, and detaches', async (_, told) => {
    const { listeners, nextRead, seen, tell } = follow({ end: 2 });
    const read = await nextRead();
    tell(...told);
    read.answer(told.length > 0 ? [1] : [1, 2]);
    await settled();
    expect(seen).toEqual([1, 2, 'flush', 'end']);
    expect(listeners()).toBe(0);
  });

  test('ends without a change when there is none and none can come', async () => {
    const { listeners, nextRead, revisions } = follow({ after: 2 });
    (await nextRead()).answer([], { isEnd: true });
    await settled();
    expect(revisions()).toEqual(['end']);
    expect(listeners()).toBe(0);
  });

  test('brings nothing more once it is stopped, also while it reads', async () => {
    const { following, listeners, nextRead, seen, tell } = follow();
    const read = await nextRead();
    following.stop();
    following.stop();
    expect(listeners()).toBe(0);
    tell(1);
    read.answer([1]);
    await settled();
    expect(seen).toEqual([]);
  });

  test('fails with the error of its first read, and detaches', async () => {
    const { listeners, nextRead, revisions } = follow();
    (await nextRead()).fail(new StoreUnavailableError('gone'));
    await settled();
    expect(revisions()).toEqual([expect.stringContaining('gone')]);
    expect(listeners()).toBe(0);
  });

  test('waits for a store that is away once it has begun, and catches up then', async () => {
    const { nextRead, retries, revisions, tell } = follow();
    (await nextRead()).answer([1], { hasMore: true });
    (await nextRead()).fail(new StoreUnavailableError('away'));
    await settled();
    tell(2);
    expect(retries).toHaveLength(1);
    retries[0]?.();
    const read = await nextRead();
    expect(read.after).toBe(1);
    read.answer([2, 3]);
    await settled();
    expect(revisions()).toEqual([1, 2, 3]);
  });

  test('that is stopped while the store is away asks it no more', async () => {
    const { cancelled, following, nextRead } = follow();
    (await nextRead()).answer([1], { hasMore: true });
    (await nextRead()).fail(new StoreUnavailableError('away'));
    await settled();
    following.stop();
    expect(cancelled()).toBe(1);
  });

  test('fails with any other error, also in the middle', async () => {
    const { nextRead, revisions } = follow();
    (await nextRead()).answer([1], { hasMore: true });
    (await nextRead()).fail(new TypeError('broken'));
    await settled();
    expect(revisions()).toEqual([1, 'TypeError: broken']);
  });
});
