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

describe('a subscription cursor', () => {
  test('delivers what it reads, then what the feed publishes, and flushes after each', async () => {
    const { nextRead, seen, tell } = follow({ after: 3 });
    const read = await nextRead();
    expect(read.after).toBe(3);
    read.answer([4, 5]);
    await settled();
    tell(6, 7);
    expect(seen).toEqual([4, 5, 'flush', 6, 7, 'flush']);
  });

  test('delivers changes published during a read after the page, each once', async () => {
    const { nextRead, revisions, tell } = follow();
    const read = await nextRead();
    tell(1, 2);
    tell(3);
    read.answer([1, 2]);
    await settled();
    expect(revisions()).toEqual([1, 2, 3]);
  });

  test('reads more pages from its position, and drops what was published meanwhile', async () => {
    const { nextRead, revisions, tell } = follow();
    (await nextRead()).answer([1, 2], { hasMore: true });
    const second = await nextRead();
    expect(second.after).toBe(2);
    tell(9);
    second.answer([3, 9]);
    await settled();
    expect(revisions()).toEqual([1, 2, 3, 9]);
  });

  test('reads again when its buffer overflowed during a read', async () => {
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

  test('delivers only changes newer than its position', async () => {
    const { nextRead, revisions, tell } = follow({ after: 5 });
    (await nextRead()).answer([7]);
    await settled();
    tell(4, 6, 7, 8);
    tell(8);
    expect(revisions()).toEqual([7, 8]);
  });

  test('pauses without a buffer while its sink is full, and reads from its position afterwards', async () => {
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

  test('that is paused reads only after resume()', async () => {
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

  test('delivers only the newest of several changes if the source allows it', async () => {
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
  ])('ends with the last change when it is %s, and detaches', async (_, told) => {
    const { listeners, nextRead, seen, tell } = follow({ end: 2 });
    const read = await nextRead();
    tell(...told);
    read.answer(told.length > 0 ? [1] : [1, 2]);
    await settled();
    expect(seen).toEqual([1, 2, 'flush', 'end']);
    expect(listeners()).toBe(0);
  });

  test('ends without a change when none can follow', async () => {
    const { listeners, nextRead, revisions } = follow({ after: 2 });
    (await nextRead()).answer([], { isEnd: true });
    await settled();
    expect(revisions()).toEqual(['end']);
    expect(listeners()).toBe(0);
  });

  test('delivers nothing after stop(), also during a read', async () => {
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

  test('that has started waits during an outage, and catches up afterwards', async () => {
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

  test('that is stopped during an outage stops reading', async () => {
    const { cancelled, following, nextRead } = follow();
    (await nextRead()).answer([1], { hasMore: true });
    (await nextRead()).fail(new StoreUnavailableError('away'));
    await settled();
    following.stop();
    expect(cancelled()).toBe(1);
  });

  test('fails with any other error, also after its start', async () => {
    const { nextRead, revisions } = follow();
    (await nextRead()).answer([1], { hasMore: true });
    (await nextRead()).fail(new TypeError('broken'));
    await settled();
    expect(revisions()).toEqual([1, 'TypeError: broken']);
  });
});
