import { describe, expect, it } from 'vitest';
import { countWaiting } from '../kit/count-waiting.ts';
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

describe.each(STORES)('$name', ({ open }) => {
  it('a claim of submissions stores the mark and its first poll before it returns a task', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    const { records } = await claimSubmissions(store);
    expect(records).toEqual([
      { ...task, markedAt: NOW, nextCheckAt: NOW + 90_000, version: task.version + 1 },
    ]);
    expect(await store.get(task.id)).toEqual(records[0]);
  });

  it('a claim of submissions is no visible change', async () => {
    const { store, told } = await open();
    const task = await insertVisible(store);
    const marked = (await claimSubmissions(store)).records[0];
    expect(marked?.revision).toBe(task.revision);
    expect(await store.newestRevision()).toBe(task.revision);
    expect(told.flat()).toEqual([task]);
  });

  it('a claim of submissions invalidates earlier reads of the task', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    await claimSubmissions(store);
    expect(await store.save({ ...task, state: 'FAIL' })).toBeNull();
    expect(await store.amend({ ...task, submitLeaseUntil: NOW + 60_000 })).toBeNull();
  });

  it('concurrent claims of submissions return no task twice', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 30 }, () => insertVisible(store)));
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, n) => claimSubmissions(store, { limit: 25, processId: `process-${n}` })),
    );
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
  });

  it('a task is claimed again only after its mark was undone', async () => {
    const { store } = await open();
    await insertHidden(store);
    const [marked] = (await claimSubmissions(store)).records;
    expect((await claimSubmissions(store)).records).toEqual([]);
    if (marked) await amended(store, { ...marked, markedAt: null, nextCheckAt: null, submitAt: NOW + 1000 });
    expect(idsOf((await claimSubmissions(store, { now: NOW + 1000 })).records)).toEqual([marked?.id]);
  });

  it('a claim of submissions leaves out tasks that are marked, refused, unknown or ended', async () => {
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

  it('a claim of submissions leaves out delayed tasks and returns when the next one may be sent', async () => {
    const { store } = await open();
    const later = await insertVisible(store, { submitAt: NOW + 3000 });
    await insertVisible(store, { submitAt: NOW + 5000 });
    expect(await claimSubmissions(store, { now: NOW + 2999 })).toEqual({ records: [], nextAt: NOW + 3000 });
    const claim = await claimSubmissions(store, { now: NOW + 3000 });
    expect(idsOf(claim.records)).toEqual([later.id]);
    expect(claim.nextAt).toBe(NOW + 5000);
  });

  it('a claim of submissions returns no next time if no task is left', async () => {
    const { store } = await open();
    await insertVisible(store);
    expect((await claimSubmissions(store)).nextAt).toBeNull();
    expect(await claimSubmissions(store)).toEqual({ records: [], nextAt: null });
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('only its own process can claim a hidden task', async () => {
    const { store } = await open();
    const task = await insertHidden(store);
    expect(await claimSubmissions(store, { processId: 'process-2' })).toEqual({ records: [], nextAt: null });
    expect(idsOf((await claimSubmissions(store)).records)).toEqual([task.id]);
  });

  it('every process can claim a visible task', async () => {
    const { store } = await open();
    const task = await saved(store, await insertHidden(store));
    expect(idsOf((await claimSubmissions(store, { processId: 'process-2' })).records)).toEqual([task.id]);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('the create limit holds in a window, and a claim returns when the next slot is free', async () => {
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

  it('the create limit uses a sliding window', async () => {
    const { store } = await open();
    await insertVisible(store);
    await claimSubmissions(store);
    for (let n = 0; n < 3; n += 1) await insertVisible(store, { submitAt: NOW + 4000 });
    expect((await claimSubmissions(store, { now: NOW + 4000 })).records).toHaveLength(1);
    const third = await claimSubmissions(store, { now: NOW + WINDOW });
    expect(third.records).toHaveLength(1);
    expect(third.nextAt).toBe(NOW + 4000 + WINDOW);
  });

  it('the create limit holds in every window', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 12 }, () => insertVisible(store)));
    const takenAt: number[] = [];
    for (let now = NOW; now < NOW + 4 * WINDOW; now += 700)
      takenAt.push(...(await claimSubmissions(store, { now })).records.map(() => now));
    for (const from of takenAt)
      expect(takenAt.filter((at) => at >= from && at < from + WINDOW).length).toBeLessThanOrEqual(2);
    expect(takenAt.length).toBeGreaterThanOrEqual(8);
  });

  it('every retry takes a slot of the create limit', async () => {
    const { store } = await open();
    await insertVisible(store);
    const [marked] = (await claimSubmissions(store)).records;
    if (marked) await amended(store, { ...marked, markedAt: null });
    expect((await claimSubmissions(store)).records).toHaveLength(1);
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });

  it('refused calls count against the create limit', async () => {
    const { store } = await open();
    for (let n = 0; n < 2; n += 1) await insertHidden(store);
    for (const task of (await claimSubmissions(store)).records)
      await amended(store, { ...task, refusal: FAILURE });
    await insertVisible(store);
    expect((await claimSubmissions(store)).records).toEqual([]);
  });

  it('the create limit survives a reopened store', async () => {
    const opened = await open();
    for (let n = 0; n < 3; n += 1) await insertVisible(opened.store);
    await claimSubmissions(opened.store);
    const { store } = await opened.reopen();
    expect(await claimSubmissions(store, { now: NOW + 5000 })).toEqual({ records: [], nextAt: NOW + WINDOW });
  });

  it('queries do not count against the create limit', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW });
    await store.claimDue({ now: () => NOW, leaseMs: 1000, limitPerSecond: 10 });
    for (let n = 0; n < 2; n += 1) await insertVisible(store);
    expect((await claimSubmissions(store)).records).toHaveLength(2);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('the count of waiting tasks includes hidden, visible and delayed tasks of all owners', async () => {
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
