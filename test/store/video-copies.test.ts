import { describe, expect, it } from 'vitest';
import { withCopy } from '../../src/tasks/copies.ts';
import {
  LEASE,
  VIDEO,
  claimCopies,
  copyFor,
  insertCopied,
  insertSucceeded,
  saveCopy,
  storedIn,
} from './copy-records.ts';
import { FAILURE, NOW, amended, hiddenTask, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { STORES, toldSoFar } from './stores.ts';

type Opened = Awaited<ReturnType<(typeof STORES)[number]['open']>>;

const RETRY_AT = NOW + 10_000;
const RETRYING = { state: 'PENDING', attempts: 1, reason: 'HTTP 503' } as const;

describe.each(STORES)('claims of copies: $name', ({ open }) => {
  it('tasks are claimed in the order in which they succeeded, once per lease', async () => {
    const { store } = await open();
    for (const age of [1, 3, 2]) await insertSucceeded(store, NOW - age, { id: `age ${age}` });
    const first = await claimCopies(store, NOW, 2);
    expect(idsOf(first.records).sort()).toEqual(['age 2', 'age 3']);
    expect(first.nextAt).toBeLessThanOrEqual(NOW);
    const second = await claimCopies(store, NOW, 2);
    expect(idsOf(second.records)).toEqual(['age 1']);
    expect(second.nextAt).toBe(NOW + LEASE);
    expect(await claimCopies(store, NOW + LEASE - 1)).toEqual({ records: [], nextAt: NOW + LEASE });
    expect((await claimCopies(store, NOW + LEASE)).records).toHaveLength(3);
  });

  it('concurrent claims share no task', async () => {
    const { store } = await open();
    for (let n = 0; n < 6; n += 1) await insertSucceeded(store);
    const claims = await Promise.all([1, 2, 3].map(() => claimCopies(store, NOW, 2)));
    expect(new Set(claims.flatMap(({ records }) => idsOf(records))).size).toBe(6);
  });

  it('tasks that failed, have not ended, are hidden, or have nothing left to copy are not claimed', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'FAIL', failure: FAILURE, completedAt: NOW });
    for (const state of ['WAITING', 'QUEUING', 'GENERATING'] as const) await insertVisible(store, { state });
    await insertHidden(store);
    await insertHidden(store, { refusal: FAILURE });
    await insertCopied(store);
    await insertSucceeded(store, NOW, { archiveAt: null });
    expect(await claimCopies(store)).toEqual({ records: [], nextAt: null });
    const task = await insertVisible(store, { state: 'GENERATING' });
    await saved(store, { ...task, state: 'SUCCESS', completedAt: NOW, videos: [VIDEO] });
    expect(idsOf((await claimCopies(store)).records)).toEqual([task.id]);
  });

  it('a failed attempt puts off the next one', async () => {
    const { store } = await open();
    const task = await insertSucceeded(store);
    const [claimed = task] = (await claimCopies(store)).records;
    await amended(store, withCopy(claimed, 0, RETRYING, RETRY_AT));
    expect(await claimCopies(store, RETRY_AT - 1)).toEqual({ records: [], nextAt: RETRY_AT });
    const { records } = await claimCopies(store, RETRY_AT);
    expect(records.map(({ videos }) => videos[0]?.copy)).toEqual([RETRYING]);
  });

  it('a renewed claim lasts until the given time; a copied task has none to renew', async () => {
    const { store } = await open();
    const task = await insertSucceeded(store);
    await claimCopies(store);
    await store.renewCopies(task.id, NOW + 2 * LEASE);
    expect(await claimCopies(store, NOW + LEASE)).toEqual({ records: [], nextAt: NOW + 2 * LEASE });
    expect((await store.get(task.id))?.archiveAt).toBe(NOW + 2 * LEASE);
    await saveCopy(store, task, copyFor(task));
    await store.renewCopies(task.id, NOW + 3 * LEASE);
    expect(await claimCopies(store, NOW + 9 * LEASE)).toEqual({ records: [], nextAt: null });
  });

  it('a claim shows in the task and is no visible change', async () => {
    const { store, told } = await open();
    const task = await insertSucceeded(store);
    const before = await toldSoFar({ store, told });
    const { records } = await claimCopies(store);
    expect(records).toEqual([{ ...task, archiveAt: NOW + LEASE }]);
    expect(await store.get(task.id)).toEqual(records[0]);
    expect([told.length, await store.newestRevision()]).toEqual(before);
  });

  it('a clock that was set back makes every copy due', async () => {
    const { store } = await open();
    const claimed = await insertSucceeded(store);
    await claimCopies(store, NOW + 1e9);
    const retrying = withCopy(await insertSucceeded(store), 0, RETRYING, NOW + 1e9);
    await amended(store, retrying);
    const copied = await insertCopied(store);
    await store.clockWentBack(NOW);
    const { records } = await claimCopies(store);
    expect(idsOf(records).sort()).toEqual([claimed.id, retrying.id].sort());
    expect((await store.get(copied.task.id))?.archiveAt).toBeNull();
  });

  it('a takeover ends the claims of its predecessor; retries wait for their time', async () => {
    const { store } = await open();
    const retrying = await insertSucceeded(store);
    await amended(store, withCopy(retrying, 0, RETRYING, RETRY_AT));
    const claimed = [await insertSucceeded(store), await insertSucceeded(store, NOW - 1)];
    await claimCopies(store);
    await store.takeOver(NOW + 1);
    const { nextAt, records } = await claimCopies(store, NOW + 1);
    expect(idsOf(records).sort()).toEqual(idsOf(claimed).sort());
    expect(nextAt).toBe(RETRY_AT);
  });
});

describe.each(STORES)('copies: $name', ({ open }) => {
  it('saving a copy writes the task with a new revision, the copy and its bytes, and publishes the task', async () => {
    const { store, told } = await open();
    const task = await insertSucceeded(store);
    const copy = copyFor(task);
    const written = await saveCopy(store, task, copy);
    expect(written).toEqual({
      ...storedIn(task, copy),
      revision: task.revision + 1,
      version: task.version + 1,
    });
    expect(written.archiveAt).toBeNull();
    expect(told.at(-1)).toEqual([written]);
    expect(await store.get(task.id)).toEqual(written);
    expect(await store.copyOf(task.id, 0)).toEqual(copy);
    expect(await store.copyOf(task.id, 1)).toBeNull();
    expect(await store.storedBytes()).toBe(1000);
  });

  it('a new copy is to share the object of a copy with the same bytes, unless its own is reserved', async () => {
    const { store } = await open();
    const task = await insertSucceeded(store);
    const own = copyFor(task, { sha256: 'common' });
    expect(await store.reserveObject(own)).toBe(own.object);
    const other = await insertCopied(store, { sha256: 'common' });
    const late = copyFor(await insertSucceeded(store), { sha256: 'common' });
    expect(await store.reserveObject(late)).toBe(other.copy.object);
    expect(await store.reserveObject(own)).toBe(own.object);
    await saveCopy(store, task, own);
    expect(await store.reserveObject(own)).toBeNull();
    expect([await store.copyOf(task.id, 0), await store.storedBytes()]).toEqual([own, 2000]);
  });

  it('a copy in an object that is not reserved for its bytes is not saved', async () => {
    const { store } = await open();
    const task = await insertSucceeded(store);
    const copy = copyFor(task);
    expect(await store.saveCopy(storedIn(task, copy), copy)).toBeNull();
    await store.reserveObject({ ...copy, sha256: 'of another version', bytes: 5 });
    expect(await store.saveCopy(storedIn(task, copy), copy)).toBeNull();
    await store.reserveObject(copy);
    expect(await store.saveCopy(storedIn(task, copy), copy)).not.toBeNull();
    expect(await store.storedBytes()).toBe(1000);
  });

  it.each<[string, (store: Opened['store'], task: TaskRecord) => Promise<unknown>]>([
    ['is deleted', (store) => store.sweepEnded({ endedBefore: NOW + 1, limit: 9 })],
    ['loses its video', (store, task) => saved(store, withCopy(task, 0, { state: 'LOST', reason: '' }, 0))],
  ])('a reserved object counts, and is to be deleted when its task %s', async (_, end) => {
    const { store } = await open();
    const task = await insertSucceeded(store);
    const copy = copyFor(task, { storedAt: 0 });
    await store.reserveObject(copy);
    expect([await store.storedBytes(), await store.doomedCopies(9)]).toEqual([1000, []]);
    expect([await store.copyOf(task.id, 0), await store.oldestCopies(NOW, 9)]).toEqual([null, []]);
    await end(store, task);
    expect(await store.doomedCopies(9)).toEqual([{ ...copy, isShared: false }]);
    await store.forgetCopy({ ...copy, isShared: false });
    expect([await store.storedBytes(), await store.doomedCopies(9)]).toEqual([0, []]);
  });

  it('after a concurrent write, or without its task, a copy is not saved at all', async () => {
    const { store, told } = await open();
    const stale = await insertSucceeded(store);
    const current = await amended(store, stale);
    const missing = hiddenTask();
    const [before] = await toldSoFar({ store, told });
    for (const task of [stale, missing])
      expect(await store.saveCopy(storedIn(task, copyFor(task)), copyFor(task))).toBeNull();
    expect(await store.get(stale.id)).toEqual(current);
    expect(await store.copyOf(stale.id, 0)).toBeNull();
    expect([told.length, await store.storedBytes()]).toEqual([before, 0]);
    expect(await store.doomedCopies(9)).toEqual([]);
  });

  it('bytes count once for each object, however many copies share it', async () => {
    const { store } = await open();
    const { copy } = await insertCopied(store);
    for (let n = 0; n < 3; n += 1) await insertCopied(store, { object: copy.object, sha256: copy.sha256 });
    await insertCopied(store, { bytes: 5 });
    expect(await store.storedBytes()).toBe(1005);
    // Concurrent writes share one transaction.
    const tasks = [await insertSucceeded(store), await insertSucceeded(store)];
    const { object, sha256 } = copy;
    await Promise.all(tasks.map((task) => saveCopy(store, task, copyFor(task, { object, sha256 }))));
    expect(await store.storedBytes()).toBe(1005);
  });

  it('a copy in an object that is gone, or is to be deleted, is not saved', async () => {
    const { store } = await open();
    const { copy, task } = await insertCopied(store);
    const { object, sha256 } = copy;
    const late = await insertSucceeded(store);
    const save = () => {
      const shared = copyFor(late, { object, sha256 });
      return store.saveCopy(storedIn(late, shared), shared);
    };
    await store.dropCopy(task, 0);
    expect(await save()).toBeNull();
    await store.forgetCopy({ ...copy, isShared: false });
    expect(await save()).toBeNull();
    expect(await store.get(late.id)).toEqual(late);
    expect(await store.storedBytes()).toBe(0);
    const own = copyFor(late, { sha256 });
    expect(await store.reserveObject(own)).toBe(own.object);
  });

  it('dropping a copy writes the task with a new revision and dooms the copy', async () => {
    const { store, told } = await open();
    const { copy, task } = await insertCopied(store);
    const dropped = await store.dropCopy(task, 0);
    expect(dropped?.revision).toBeGreaterThan(task.revision);
    expect(told.at(-1)).toEqual([dropped]);
    expect(await store.copyOf(task.id, 0)).toBeNull();
    expect(await store.oldestCopies(Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
    expect(await store.doomedCopies(9)).toEqual([{ ...copy, isShared: false }]);
    // They count until the object is deleted.
    expect(await store.storedBytes()).toBe(1000);
  });

  it('after a concurrent write, a copy is not dropped', async () => {
    const { store } = await open();
    const { copy, task } = await insertCopied(store);
    const current = await amended(store, task);
    expect(await store.dropCopy(task, 0)).toBeNull();
    expect(await store.get(task.id)).toEqual(current);
    expect(await store.copyOf(task.id, 0)).toEqual(copy);
    expect(await store.doomedCopies(9)).toEqual([]);
  });

  it('the oldest copies come first, up to a limit and before a time', async () => {
    const { store } = await open();
    const copies = [];
    for (const age of [1, 3, 2]) copies.push((await insertCopied(store, { storedAt: NOW - age })).copy);
    expect(await store.oldestCopies(NOW, 2)).toEqual([copies[1], copies[2]]);
    expect(await store.oldestCopies(NOW - 2, 9)).toEqual([copies[1]]);
  });

  it('retention dooms the copies of the tasks that it deletes, and no others', async () => {
    const { store } = await open();
    const old = await insertCopied(store, { storedAt: NOW - 1 });
    const kept = await insertCopied(store);
    await insertSucceeded(store, NOW - 1);
    expect(await store.sweepEnded({ endedBefore: NOW, limit: 9 })).toBe(2);
    expect(await store.doomedCopies(9)).toEqual([{ ...old.copy, isShared: false }]);
    expect(await store.oldestCopies(NOW + 1, 9)).toEqual([kept.copy]);
  });

  it.each([
    ['the one that made the object', 0],
    ['the one that shares it', 1],
  ])('an object is deleted with its last copy, when %s is forgotten first', async (_, first) => {
    const { store } = await open();
    const maker = await insertCopied(store);
    const { object, sha256 } = maker.copy;
    const both = [maker, await insertCopied(store, { object, sha256 })];
    for (const { task } of both) await store.dropCopy(task, 0);
    // One batch: either has the other one beside it.
    const batch = await store.doomedCopies(9);
    expect(batch.map(({ isShared }) => isShared)).toEqual([true, true]);
    const ordered = [...batch].sort((one) => (one.taskId === both[first]?.task.id ? -1 : 1));
    for (const copy of ordered) await store.forgetCopy(copy);
    expect(await store.storedBytes()).toBe(1000);
    const [last] = await store.doomedCopies(9);
    expect(await store.doomedCopies(9)).toEqual([{ ...both[1 - first]?.copy, isShared: false }]);
    if (last) for (let time = 0; time < 2; time += 1) await store.forgetCopy(last);
    expect([await store.doomedCopies(9), await store.storedBytes()]).toEqual([[], 0]);
  });

  it('a forgotten copy leaves the object to the copy that shares it', async () => {
    const { store } = await open();
    const { copy, task } = await insertCopied(store);
    const { object, sha256 } = copy;
    const other = await insertCopied(store, { object, sha256 });
    await store.dropCopy(task, 0);
    expect(await store.doomedCopies(9)).toEqual([{ ...copy, isShared: true }]);
    await store.forgetCopy({ ...copy, isShared: true });
    expect(await store.copyOf(other.task.id, 0)).toEqual(other.copy);
    expect([await store.doomedCopies(9), await store.storedBytes()]).toEqual([[], 1000]);
  });

  it('copies outlive the process', async () => {
    const opened = await open();
    const { copy } = await insertCopied(opened.store);
    const { store } = await opened.reopen();
    expect(await store.copyOf(copy.taskId, 0)).toEqual(copy);
    expect(await store.storedBytes()).toBe(1000);
  });
});
