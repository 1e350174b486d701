import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { openTaskStore } from '../kit/store.ts';
import { FAILURE, NOW, idsOf, insertHidden, insertVisible } from './records.ts';
import { STORES } from './stores.ts';

const ALL = 1000;

function insertEnded(
  store: TaskStore,
  completedAt: number,
  fields: Partial<TaskRecord> = {},
): Promise<VisibleRecord> {
  return insertVisible(store, { state: 'SUCCESS', completedAt, ...fields });
}

describe.each(STORES)('$name', ({ open }) => {
  it('retention deletes tasks that ended before the given time, with their idempotency keys', async () => {
    const { store } = await open();
    const old = [
      await insertEnded(store, NOW - 1, { idempotencyKey: 'key' }),
      await insertEnded(store, NOW - 9, { state: 'FAIL', failure: FAILURE, owner: 'bob' }),
    ];
    const kept = [
      await insertEnded(store, NOW),
      await insertEnded(store, NOW, { state: 'FAIL', failure: FAILURE }),
      await insertVisible(store, { state: 'GENERATING', createdAt: 0, updatedAt: 0 }),
      await insertVisible(store, { createdAt: 0, updatedAt: 0 }),
    ];
    const hidden = await insertHidden(store, { createdAt: 0, updatedAt: 0 });
    expect(await store.sweepEnded({ endedBefore: NOW, limit: ALL })).toBe(2);
    for (const { id, owner } of old) {
      expect(await store.get(id)).toBeNull();
      expect(await store.find(owner, id)).toBeNull();
    }
    for (const task of kept) expect(await store.find('ann', task.id)).toEqual(task);
    expect(await store.get(hidden.id)).toEqual(hidden);
    const next = await insertHidden(store, { idempotencyKey: 'key' });
    expect(await store.getByKey('ann', 'key')).toEqual(next);
    expect(await store.sweepEnded({ endedBefore: NOW, limit: ALL })).toBe(0);
  });

  it('retention deletes the oldest tasks first, up to its limit', async () => {
    const { store } = await open();
    const [third, first, second] = [
      await insertEnded(store, NOW - 1),
      await insertEnded(store, NOW - 3),
      await insertEnded(store, NOW - 2),
    ];
    const failed = await insertEnded(store, NOW - 4, { state: 'FAIL', failure: FAILURE });
    const left = async (): Promise<string[]> => idsOf(await store.changesAfter('ann', 0, ALL));
    const query = { endedBefore: NOW, limit: 2 };
    expect(await store.sweepEnded(query)).toBe(2);
    expect(await left()).toEqual([third.id, failed.id]);
    expect(idsOf([first, second])).not.toContain((await left())[0]);
    expect(await store.sweepEnded(query)).toBe(2);
    expect(await left()).toEqual([]);
  });

  it('retention is no visible change: pages and changes continue at a deleted task', async () => {
    const { store, told } = await open();
    const old = await insertEnded(store, NOW - 1, { createdAt: NOW - 5 });
    const older = await insertVisible(store, { createdAt: NOW - 6 });
    const before = [told.length, await store.newestRevision()];
    await store.sweepEnded({ endedBefore: NOW, limit: ALL });
    expect([told.length, await store.newestRevision()]).toEqual(before);
    const below = await store.page('ann', { limit: 10, below: old, states: [] });
    expect(below).toEqual([older]);
    expect(await store.changesAfter('ann', old.revision, ALL)).toEqual([older]);
  });

  it('a concurrent write does not restore a deleted task', async () => {
    const { store } = await open();
    const old = await insertEnded(store, NOW - 1, { state: 'FAIL', failure: FAILURE });
    const [count, written] = await Promise.all([
      store.sweepEnded({ endedBefore: NOW, limit: ALL }),
      store.save({ ...old, state: 'SUCCESS', failure: null }),
    ]);
    expect([count, written]).toEqual([1, null]);
    expect(await store.get(old.id)).toBeNull();
  });
});

it('SQLite reuses the space of deleted tasks', async () => {
  const dataDir = await quickDir();
  const store = await openTaskStore({ kind: 'sqlite', dataDir });
  const pages = (): unknown => {
    const database = new DatabaseSync(join(dataDir, 'kineograph.db'), { readOnly: true });
    const { page_count: count } = database.prepare('pragma page_count').get() as { page_count: number };
    database.close();
    return count;
  };
  const generation = (): Promise<unknown> =>
    Promise.all(Array.from({ length: 200 }, () => insertEnded(store, NOW - 1)));
  await generation();
  const full = pages();
  for (let round = 0; round < 2; round += 1) {
    expect(await store.sweepEnded({ endedBefore: NOW, limit: ALL })).toBe(200);
    await generation();
  }
  expect(Number(pages())).toBeLessThan(Number(full) * 1.2);
  await store.close();
});
