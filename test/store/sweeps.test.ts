import { describe, expect, it } from 'vitest';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import {
  FAILURE,
  NOW,
  PROVIDER,
  amended,
  claimDue,
  claimSubmissions,
  idsOf,
  insertHidden,
  insertVisible,
  upload,
} from './records.ts';
import { STORES, toldSoFar } from './stores.ts';

/** Every time at which nothing is old. */
const NOTHING = { refusedBefore: 0, slotsBefore: 0, now: 0 };
const ALL = { endedBefore: NOW, limit: 1000 };

const exists = async (store: TaskStore, { id }: TaskRecord): Promise<boolean> =>
  (await store.get(id)) !== null;

/** Whether each of these tasks is still there. */
function allExist(store: TaskStore, tasks: readonly TaskRecord[]): Promise<boolean[]> {
  return Promise.all(tasks.map((task) => exists(store, task)));
}

function insertEnded(store: TaskStore, completedAt: number, fields: Partial<TaskRecord> = {}) {
  return insertVisible(store, { state: 'SUCCESS', completedAt, ...fields });
}

describe.each(STORES)('sweeps: $name', ({ open }) => {
  it('the orphan sweep deletes unsent hidden tasks with an expired lease, and frees their keys', async () => {
    const { store } = await open();
    const over = { submitLeaseUntil: NOW };
    const undone = await insertHidden(store, { ...over, submitLeaseUntil: NOW + 1 });
    const [marked = undone] = (await claimSubmissions(store)).records;
    await amended(store, { ...marked, markedAt: null, nextCheckAt: null, ...over });
    const orphans = [undone, await insertHidden(store, { ...over, idempotencyKey: 'key' })];
    const kept = [
      await insertHidden(store, { submitLeaseUntil: NOW + 1 }),
      await insertVisible(store, over),
      await insertHidden(store, { ...over, markedAt: NOW - 60_000 }),
      await insertHidden(store, { ...over, refusal: FAILURE }),
      await insertHidden(store, { ...over, unknownSince: NOW - 60_000 }),
      await insertHidden(store, { ...over, state: 'WAITING' }),
    ];
    expect(await store.sweepOrphans(NOW)).toBe(2);
    expect(await allExist(store, orphans)).not.toContain(true);
    expect(await allExist(store, kept)).not.toContain(false);
    expect(await store.sweepOrphans(NOW)).toBe(0);
    expect(await insertHidden(store, { idempotencyKey: 'key' })).toMatchObject({
      idempotencyKey: 'key',
      version: 0,
    });
  });

  it('the sweep deletes old refusals, slots and uploads only, and is no visible change', async () => {
    const { store, told } = await open();
    const old = { refusal: FAILURE, updatedAt: NOW - 1 };
    const refused = await insertHidden(store, old);
    const kept = [
      await insertHidden(store, { ...old, updatedAt: NOW }),
      await insertHidden(store, { updatedAt: NOW - 1, submitAt: NOW + 9 }),
      await insertVisible(store, old),
      await insertVisible(store, { ...old, refusal: null, state: 'FAIL' }),
    ];
    const [, revision] = await toldSoFar({ store, told });
    await store.sweep({ ...NOTHING, refusedBefore: NOW });
    expect(await exists(store, refused)).toBe(false);
    expect(await allExist(store, kept)).not.toContain(false);

    for (let n = 0; n < 2; n += 1) await insertHidden(store);
    expect((await claimSubmissions(store, { limit: 1 })).records).toHaveLength(1);
    await store.sweep({ ...NOTHING, slotsBefore: NOW });
    expect((await claimSubmissions(store, { limit: 1 })).records).toHaveLength(0);

    const { expiresAt, hash } = upload();
    await store.saveUpload('ada', upload());
    await store.saveUpload('ben', upload({ expiresAt: expiresAt + 1 }));
    await store.sweep({ ...NOTHING, now: expiresAt });
    expect(await store.findUpload('ada', hash, NOW)).toBeNull();
    expect(await store.findUpload('ben', hash, NOW)).not.toBeNull();
    expect([told.flat(), await store.newestRevision()]).toEqual([kept.slice(2), revision]);
  });

  it('a clock that jumps ahead makes no slots old: the sweep keeps those near the newest', async () => {
    const { connections, store } = await open();
    const { writer } = connections;
    const taken = [NOW - 1000, NOW - 500, NOW].map(
      (at) => ({ kind: 'create', provider: PROVIDER, owner: 'ann', taken_at: at }) as const,
    );
    await writer.insertInto('slots').values(taken).execute();
    const left = async (): Promise<number> =>
      (await writer.selectFrom('slots').select('id').execute()).length;
    const now = NOW + 3_600_000;
    await store.sweep({ ...NOTHING, now, slotsBefore: now - 600 });
    expect(await left()).toBe(2);
    await store.sweep({ ...NOTHING, now: NOW, slotsBefore: NOW - 400 });
    expect(await left()).toBe(1);
  });

  it('a takeover ends the leases of its predecessor and makes marks without an outcome due', async () => {
    const { store, told } = await open();
    const later = { nextCheckAt: NOW + 90_000, markedAt: NOW - 1 };
    const orphan = await insertHidden(store, { submitLeaseUntil: NOW + 25_000 });
    const leased = await insertVisible(store, { state: 'WAITING', nextCheckAt: NOW });
    await claimDue(store);
    const marked = [await insertHidden(store, later), await insertVisible(store, later)];
    const others = [
      await insertVisible(store, { ...later, state: 'WAITING' }),
      await insertVisible(store, { ...later, unknownSince: NOW - 1 }),
      await insertVisible(store, { ...later, markedAt: null }),
      await insertHidden(store, { markedAt: NOW - 1, refusal: FAILURE }),
    ];
    const before = await toldSoFar({ store, told });
    await store.takeOver(NOW);
    expect([told.length, await store.newestRevision()]).toEqual(before);
    for (const { id, nextCheckAt } of others) expect((await store.get(id))?.nextCheckAt).toBe(nextCheckAt);
    const { records } = await claimDue(store);
    expect(idsOf(records).sort()).toEqual(idsOf([leased, ...marked]).sort());
    for (const { nextCheckAt } of records) expect(nextCheckAt).toBe(NOW);
    expect(await store.sweepOrphans(NOW)).toBe(1);
    expect(await exists(store, orphan)).toBe(false);
  });
});

describe.each(STORES)('retention: $name', ({ open }) => {
  it('retention deletes tasks that ended before the given time, and frees their keys', async () => {
    const { store, told } = await open();
    const failed = { state: 'FAIL', failure: FAILURE } as const;
    const old = [
      await insertEnded(store, NOW - 1, { idempotencyKey: 'key', createdAt: NOW - 5 }),
      await insertEnded(store, NOW - 9, { ...failed, owner: 'bob' }),
    ];
    const ancient = { createdAt: 0, updatedAt: 0 };
    const kept = [
      await insertEnded(store, NOW),
      await insertEnded(store, NOW, failed),
      await insertVisible(store, { ...ancient, state: 'GENERATING' }),
      await insertVisible(store, ancient),
      await insertHidden(store, ancient),
    ];
    const before = await toldSoFar({ store, told });
    expect(await store.sweepEnded(ALL)).toBe(2);
    expect(await allExist(store, old)).toEqual([false, false]);
    expect(await store.find('bob', old[1]?.id ?? '')).toBeNull();
    for (const task of kept) expect(await store.get(task.id)).toEqual(task);
    // No visible change, and pages and changes go on where a deleted task was.
    expect([told.length, await store.newestRevision()]).toEqual(before);
    const [deleted = null] = old;
    const page = await store.page('ann', { limit: 10, below: deleted, states: [] });
    expect(idsOf(page).sort()).toEqual(idsOf(kept.slice(2, 4)).sort());
    expect(await store.changesAfter('ann', deleted?.revision ?? 0, 9)).toEqual(kept.slice(0, 4));
    const next = await insertHidden(store, { idempotencyKey: 'key' });
    expect(await store.getByKey('ann', 'key')).toEqual(next);
    expect(await store.sweepEnded(ALL)).toBe(0);
  });

  it('retention deletes the oldest tasks first, up to its limit', async () => {
    const { store } = await open();
    for (const age of [1, 3, 2]) await insertEnded(store, NOW - age, { id: `success ${age}` });
    await insertEnded(store, NOW - 4, { id: 'failure 4', state: 'FAIL', failure: FAILURE });
    const left = async (): Promise<string[]> => idsOf(await store.changesAfter('ann', 0, 9));
    expect(await store.sweepEnded({ ...ALL, limit: 2 })).toBe(2);
    expect(await left()).toEqual(['success 1', 'failure 4']);
    expect(await store.sweepEnded({ ...ALL, limit: 2 })).toBe(2);
    expect(await left()).toEqual([]);
  });

  it('a concurrent write does not restore a deleted task', async () => {
    const { store } = await open();
    const old = await insertEnded(store, NOW - 1, { state: 'FAIL', failure: FAILURE });
    const writes = [store.sweepEnded(ALL), store.save({ ...old, state: 'SUCCESS', failure: null })];
    expect(await Promise.all(writes)).toEqual([1, null]);
    expect(await store.get(old.id)).toBeNull();
  });
});
