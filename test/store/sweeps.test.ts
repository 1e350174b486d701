import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import { countWaiting } from '../kit/count-waiting.ts';
import {
  FAILURE,
  NOW,
  PROCESS,
  amended,
  idsOf,
  insertHidden,
  insertVisible,
  saved,
  upload,
} from './records.ts';
import { STORES } from './stores.ts';

function claimSubmissions(store: TaskStore, now = NOW) {
  return store.claimSubmissions({
    now: () => now,
    processId: PROCESS,
    attempt: randomUUID(),
    limit: 1,
    windowMs: 10_000,
    checkAfterMs: 90_000,
  });
}

function claimDue(store: TaskStore, now = NOW) {
  return store.claimDue({ now: () => now, leaseMs: 30_000, limitPerSecond: 10 });
}

describe.each(STORES)('$name', ({ open }) => {
  it('the orphan sweep deletes and counts unsent hidden tasks with an expired lease', async () => {
    const { store } = await open();
    const [one, two] = [
      await insertHidden(store, { submitLeaseUntil: NOW }),
      await insertHidden(store, { submitLeaseUntil: NOW - 1, owner: 'bob' }),
    ];
    expect(await store.sweepOrphans(NOW)).toBe(2);
    expect(await store.get(one.id)).toBeNull();
    expect(await store.get(two.id)).toBeNull();
    expect(await countWaiting(store)).toBe(0);
    expect(await store.sweepOrphans(NOW)).toBe(0);
  });

  it('the orphan sweep keeps tasks with a valid lease', async () => {
    const { store } = await open();
    const { id } = await insertHidden(store, { submitLeaseUntil: NOW + 1 });
    expect(await store.sweepOrphans(NOW)).toBe(0);
    expect(await store.get(id)).not.toBeNull();
  });

  it('the orphan sweep keeps tasks that are visible, sent, refused or unknown', async () => {
    const { store } = await open();
    const over = { submitLeaseUntil: NOW - 1 };
    const spared = [
      await insertVisible(store, over),
      await insertHidden(store, { ...over, markedAt: NOW - 60_000 }),
      await insertHidden(store, { ...over, refusal: FAILURE }),
      await insertHidden(store, { ...over, unknownSince: NOW - 60_000 }),
      await insertHidden(store, { ...over, state: 'WAITING' }),
    ];
    expect(await store.sweepOrphans(NOW)).toBe(0);
    for (const { id } of spared) expect(await store.get(id)).not.toBeNull();
  });

  it('the orphan sweep deletes a task whose mark was undone', async () => {
    const { store } = await open();
    const task = await insertHidden(store, { submitLeaseUntil: NOW });
    const [marked] = (await claimSubmissions(store, NOW - 1)).records;
    if (marked) await amended(store, { ...marked, markedAt: null, nextCheckAt: null });
    expect(await store.sweepOrphans(NOW)).toBe(1);
    expect(await store.get(task.id)).toBeNull();
  });

  it('the orphan sweep frees idempotency keys', async () => {
    const { store } = await open();
    await insertHidden(store, { idempotencyKey: 'key', submitLeaseUntil: NOW });
    await store.sweepOrphans(NOW);
    const next = await insertHidden(store, { idempotencyKey: 'key' });
    expect(await store.getByKey('ann', 'key')).toEqual(next);
  });
});

/** Every time at which nothing is old. */
const NOTHING = { refusedBefore: 0, slotsBefore: 0, now: 0 };

describe.each(STORES)('$name', ({ open }) => {
  it('the sweep deletes old refusals only', async () => {
    const { store } = await open();
    const old = await insertHidden(store, { refusal: FAILURE, updatedAt: NOW - 1 });
    const young = await insertHidden(store, { refusal: FAILURE, updatedAt: NOW });
    await store.sweep({ ...NOTHING, refusedBefore: NOW });
    expect(await store.get(old.id)).toBeNull();
    expect(await store.get(young.id)).not.toBeNull();
  });

  it('the sweep keeps tasks that are visible or not refused', async () => {
    const { store } = await open();
    const failed = await insertVisible(store, { state: 'FAIL', failure: FAILURE, updatedAt: NOW - 1 });
    const refused = await insertVisible(store, { refusal: FAILURE, updatedAt: NOW - 1 });
    const waiting = await insertHidden(store, { updatedAt: NOW - 1 });
    await store.sweep({ ...NOTHING, refusedBefore: NOW });
    expect(await store.find('ann', failed.id)).toEqual(failed);
    expect(await store.find('ann', refused.id)).toEqual(refused);
    expect(await store.get(waiting.id)).toEqual(waiting);
  });

  it('the sweep deletes old rate slots only', async () => {
    const { store } = await open();
    for (let n = 0; n < 2; n += 1) await insertVisible(store);
    await claimSubmissions(store);
    await store.sweep({ ...NOTHING, slotsBefore: NOW });
    expect((await claimSubmissions(store)).records).toEqual([]);
    await store.sweep({ ...NOTHING, slotsBefore: NOW + 1 });
    expect((await claimSubmissions(store)).records).toHaveLength(1);
  });

  it('the sweep deletes expired uploads only', async () => {
    const { store } = await open();
    const { expiresAt, hash } = upload();
    await store.saveUpload('ada', upload());
    await store.saveUpload('ben', upload({ expiresAt: expiresAt + 1 }));
    await store.sweep({ ...NOTHING, now: expiresAt });
    expect(await store.findUpload('ada', hash, NOW)).toBeNull();
    expect(await store.findUpload('ben', hash, NOW)).not.toBeNull();
  });

  it('the sweep is no visible change', async () => {
    const { store, told } = await open();
    await insertHidden(store, { refusal: FAILURE, updatedAt: NOW - 1 });
    await store.sweep({ refusedBefore: NOW, slotsBefore: NOW, now: NOW });
    expect(told).toEqual([]);
    expect(await store.newestRevision()).toBe(0);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('a takeover ends submission leases, so that orphans are swept', async () => {
    const { store } = await open();
    const { id } = await insertHidden(store, { submitLeaseUntil: NOW + 25_000 });
    await store.takeOver(NOW);
    expect(await store.sweepOrphans(NOW)).toBe(1);
    expect(await store.get(id)).toBeNull();
  });

  it('a takeover ends poll leases', async () => {
    const { store } = await open();
    const task = await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW });
    await claimDue(store);
    await store.takeOver(NOW + 1);
    expect(idsOf((await claimDue(store, NOW + 1)).records)).toEqual([task.id]);
  });

  it('a takeover makes marks without an outcome due', async () => {
    const { store } = await open();
    const [hidden, visible] = [
      await insertHidden(store, { markedAt: NOW - 1, nextCheckAt: NOW + 90_000 }),
      await insertVisible(store, { markedAt: NOW - 1, nextCheckAt: NOW + 90_000 }),
    ];
    await store.takeOver(NOW);
    const { records } = await claimDue(store);
    expect(idsOf(records).sort()).toEqual([hidden.id, visible.id].sort());
    for (const { nextCheckAt } of records) expect(nextCheckAt).toBe(NOW);
  });

  it('a takeover does not move the polls of other tasks', async () => {
    const { store } = await open();
    const nextCheckAt = NOW + 60_000;
    const others = [
      await insertVisible(store, { nextCheckAt, markedAt: NOW - 1, state: 'WAITING' }),
      await insertVisible(store, { nextCheckAt, markedAt: NOW - 1, unknownSince: NOW - 1 }),
      await insertVisible(store, { nextCheckAt }),
    ];
    const refused = await insertHidden(store, { markedAt: NOW - 1, refusal: FAILURE });
    await store.takeOver(NOW);
    for (const task of others) expect((await store.get(task.id))?.nextCheckAt).toBe(nextCheckAt);
    expect((await store.get(refused.id))?.nextCheckAt).toBeNull();
    expect((await claimDue(store)).records).toEqual([]);
  });

  it('a takeover is no visible change', async () => {
    const { store, told } = await open();
    const task = await saved(store, await insertHidden(store));
    await store.takeOver(NOW);
    await store.sweepOrphans(NOW);
    expect(await store.newestRevision()).toBe(task.revision);
    expect(told.flat()).toEqual([task]);
    expect(await store.find('ann', task.id)).not.toBeNull();
  });
});
