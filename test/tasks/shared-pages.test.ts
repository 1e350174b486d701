import { describe, expect, test } from 'vitest';
import type { Page } from '../../src/tasks/subscriptions/cursor.ts';
import { createSharedPages, createCatchUpScheduler } from '../../src/tasks/subscriptions/catch-up.ts';
import { staysPending } from '../kit/waits.ts';
import { scriptedSource } from './scripted-source.ts';

/** Pages that the test answers the reads for. */
function share() {
  const { nextRead, source } = scriptedSource();
  const read = createSharedPages((after) => source.read(after), createCatchUpScheduler());
  return {
    nextRead,
    read: async (after: number): Promise<readonly number[]> => revisionsOf(await read(after)),
  };
}

function revisionsOf({ changes }: Page): readonly number[] {
  return changes.map(({ revision }) => revision);
}

describe('catch-ups of one owner', () => {
  test('that wait for the same read share one page, each from its cursor on', async () => {
    const { nextRead, read } = share();
    const pages = Promise.all([read(0), read(2), read(0), read(3), read(1)]);
    (await nextRead()).answer([1, 2, 4, 5], { hasMore: true });
    expect(await pages).toEqual([
      [1, 2, 4, 5],
      [4, 5],
      [1, 2, 4, 5],
      [4, 5],
      [2, 4, 5],
    ]);
    await staysPending(nextRead());
  });

  test('that start during a read get a newer page', async () => {
    const { nextRead, read } = share();
    const early = read(0);
    const first = await nextRead();
    const late = read(0);
    first.answer([1]);
    expect(await early).toEqual([1]);
    (await nextRead()).answer([1, 2]);
    expect(await late).toEqual([1, 2]);
  });

  test('whose cursor lies outside the page get another one', async () => {
    const { nextRead, read } = share();
    const pages = Promise.all([read(5), read(9), read(2), read(7)]);
    const first = await nextRead();
    expect(first.after).toBe(5);
    first.answer([6, 7], { hasMore: true });
    const second = await nextRead();
    expect(second.after).toBe(9);
    second.answer([]);
    const third = await nextRead();
    expect(third.after).toBe(2);
    third.answer([4, 6, 7, 8]);
    expect(await pages).toEqual([[6, 7], [], [4, 6, 7, 8], [8]]);
  });

  test('that have everything get an empty last page', async () => {
    const { nextRead, read } = share();
    const pages = Promise.all([read(0), read(2)]);
    (await nextRead()).answer([1, 2]);
    expect(await pages).toEqual([[1, 2], []]);
  });

  test('fail together with a failed read, and later ones read again', async () => {
    const { nextRead, read } = share();
    const told = Promise.allSettled([read(0), read(9)]);
    const failing = await nextRead();
    const late = read(0);
    failing.fail(new Error('away'));
    expect((await told).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    (await nextRead()).answer([1]);
    expect(await late).toEqual([1]);
  });

  test('get the page in different turns of the event loop', async () => {
    const { nextRead, read } = share();
    let turn = 0;
    const given: number[] = [];
    const pages = Promise.all(
      Array.from({ length: 20 }, async () => {
        await read(0);
        given.push(turn);
      }),
    );
    (await nextRead()).answer([1]);
    while (given.length < 20) {
      await new Promise((resolve) => setImmediate(resolve));
      turn += 1;
    }
    await pages;
    expect(new Set(given).size).toBe(20);
  });
});
