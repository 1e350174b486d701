import { describe, expect, it } from 'vitest';
import { countWaiting } from '../support/count-waiting.ts';
import {
  FAILURE,
  NOW,
  amended,
  idsOf,
  insertHidden,
  insertVisible,
  saved,
  claimSubmissions,
} from './records.ts';
import { STORES } from './stores.ts';

/** As `claimSubmissions` counts. */
const WINDOW = 10_000;

describe.each(STORES)('taking turns in $name', ({ open }) => {
  it('marks the task in the store before it is handed out, and says when the mark is to be looked at', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    const { records } = await claimSubmissions(store);
    expect(records).toEqual([
      { ...task, markedAt: NOW, nextCheckAt: NOW + 90_000, version: task.version + 1 },
    ]);
    expect(await store.get(task.id)).toEqual(records[0]);
  });

  it('is no visible change', async () => {
    const { store, told } = await open();
    const task = await insertVisible(store);
    const marked = (await claimSubmissions(store)).records[0];
    expect(marked?.revision).toBe(task.revision);
    expect(await store.newestRevision()).toBe(task.revision);
    expect(told.flat()).toEqual([task]);
  });

  it('beats everyone who has read the task before', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    await claimSubmissions(store);
    expect(await store.save({ ...task, state: 'FAIL' })).toBeNull();
    expect(await store.amend({ ...task, submitLeaseUntil: NOW + 60_000 })).toBeNull();
  });

  it('hands out no task twice, however many ask at once', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 30 }, () => insertVisible(store)));
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, n) => claimSubmissions(store, { limit: 25, processId: `process-${n}` })),
    );
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
  });

  it('hands out a task again only after its mark was taken back', async () => {
    const { store } = await open();
    await insertHidden(store);
    const [marked] = (await claimSubmissions(store)).records;
    expect((await claimSubmissions(store)).records).toEqual([]);
    if (marked) await amended(store, { ...marked, markedAt: null, nextCheckAt: null, submitAt: NOW + 1000 });
    expect(idsOf((await claimSubmissions(store, { now: NOW + 1000 })).records)).toEqual([marked?.id]);
  });

  it('leaves alone what is on its way, refused, unknown or ended', async () => {
    const { store } = await open();
    await insertVisible(store, { markedAt: NOW - 1 });
    await insertVisible(store, { state: 'WAITING' });
    await insertVisible(store, { state: 'SUCCESS' });
    await insertVisible(store, { state: 'FAIL' });
    await insertVisible(store, { unknownSince: NOW - 1 });
    await insertHidden(store, { refusal: FAILURE });
    expect(await claimSubmissions(store)).toEqual({ records: [], nextAt: null });
    expect(await countWaiting(store)).toBe(0);
  });

  it('waits until a task may be sent, and says when that is', async () => {
    const { store } = await open();
    const later = await insertVisible(store, { submitAt: NOW + 3000 });
    await insertVisible(store, { submitAt: NOW + 5000 });
    expect(await claimSubmissions(store, { now: NOW + 2999 })).toEqual({ records: [], nextAt: NOW + 3000 });
    const claim = await claimSubmissions(store, { now: NOW + 3000 });
    expect(idsOf(claim.records)).toEqual([later.id]);
    expect(claim.nextAt).toBe(NOW + 5000);
  });

  it('says that only new tasks can bring more when none is left', async () => {
    const { store } = await open();
    await insertVisible(store);
    expect((await claimSubmissions(store)).nextAt).toBeNull();
    expect(await claimSubmissions(store)).toEqual({ records: [], nextAt: null });
  });
});

describe.each(STORES)('a hidden task in $name', ({ open }) => {
  it('is sent by its own process only, and waits for no other', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    expect(await claimSubmissions(store, { processId: 'process-2' })).toEqual({ records: [], nextAt: null });
    expect(idsOf((await claimSubmissions(store)).records)).toEqual([task.id]);
  });

  it('is sent by anyone once it is announced', async () => {
    const { store } = await open();
    const task = await saved(store, await insertHidden(store));
    expect(idsOf((await claimSubmissions(store, { processId: 'process-2' })).records)).toEqual([task.id]);
  });
});

describe.each(STORES)('the create limit in $name', ({ open }) => {
  it('gives out no more slots per window than it has, and says when the next one is free', async () => {
    const { store } = await open();
    for (let n = 0; n < 3; n += 1) await insertVisible(store);
    const first = await claimSubmissions(store);
    expect(first.records).toHaveLength(2);
    expect(first.nextAt).toBe(NOW + WINDOW);
    expect(await claimSubmissions(store, { now: NOW + 1 })).toEqual({ records: [], nextAt: NOW + WINDOW });
    expect(await claimSubmissions(store, { now: NOW + WINDOW - 1 })).toEqual({
      records: [],
      nextAt: NOW + WINDOW,
    });
    expect((await claimSubmissions(store, { now: NOW + WINDOW })).records).toHaveLength(1);
  });

  it('slides: each slot is free again one window after it was taken', async () => {
    const { store } = await open();
    await insertVisible(store);
    await claimSubmissions(store);
    for (let n = 0; n < 3; n += 1) await insertVisible(store, { submitAt: NOW + 4000 });
    expect((await claimSubmissions(store, { now: NOW + 4000 })).records).toHaveLength(1);
    const third = await claimSubmissions(store, { now: NOW + WINDOW });
    expect(third.records).toHaveLength(1);
    expect(third.nextAt).toBe(NOW + 4000 + WINDOW);
  });

  it('holds in every window, whatever happens in between', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 12 }, () => insertVisible(store)));
    const takenAt: number[] = [];
    for (let now = NOW; now < NOW + 4 * WINDOW; now += 700)
      takenAt.push(...(await claimSubmissions(store, { now })).records.map(() => now));
    for (const from of takenAt)
      expect(takenAt.filter((at) => at >= from && at < from + WINDOW).length).toBeLessThanOrEqual(2);
    expect(takenAt.length).toBeGreaterThanOrEqual(8);
  });

  it('counts calls, not tasks: one that is sent again takes another slot', async () => {
    const { store } = await open();
    await insertVisible(store);
    const [marked] = (await claimSubmissions(store)).records;
    if (marked) await amended(store, { ...marked, markedAt: null });
    expect((await claimSubmissions(store)).records).toHaveLength(1);
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });

  it('counts calls that were refused', async () => {
    const { store } = await open();
    for (let n = 0; n < 2; n += 1) await insertHidden(store);
    for (const task of (await claimSubmissions(store)).records)
      await amended(store, { ...task, refusal: FAILURE });
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });

  it('holds over all processes', async () => {
    const { store } = await open();
    for (let n = 0; n < 4; n += 1) await insertVisible(store);
    expect((await claimSubmissions(store, { processId: 'process-1' })).records).toHaveLength(2);
    expect((await claimSubmissions(store, { processId: 'process-2' })).records).toEqual([]);
  });

  it('survives opening again', async () => {
    const opened = await open();
    for (let n = 0; n < 3; n += 1) await insertVisible(opened.store);
    await claimSubmissions(opened.store);
    const { store } = await opened.reopen();
    expect(await claimSubmissions(store, { now: NOW + 5000 })).toEqual({ records: [], nextAt: NOW + WINDOW });
  });

  it('is not touched by queries of the provider', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW });
    await store.claimDue({ now: () => NOW, leaseMs: 1000, limitPerSecond: 10 });
    for (let n = 0; n < 2; n += 1) await insertVisible(store);
    expect((await claimSubmissions(store)).records).toHaveLength(2);
  });
});

describe.each(STORES)('how many wait their turn in $name', ({ open }) => {
  it('counts hidden and announced ones, of all owners, also those that wait to be sent again', async () => {
    const { store } = await open();
    expect(await countWaiting(store)).toBe(0);
    await insertHidden(store);
    await insertVisible(store, { owner: 'bob' });
    await insertVisible(store, { submitAt: NOW + 60_000, notNowCount: 1 });
    await insertVisible(store, { state: 'WAITING' });
    expect(await countWaiting(store)).toBe(3);
    await claimSubmissions(store);
    expect(await countWaiting(store)).toBe(1);
  });
});
