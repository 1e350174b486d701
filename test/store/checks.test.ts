import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import { NOW, PROCESS, amended, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import { STORES } from './stores.ts';

const LEASE = 30_000;

function claim(store: TaskStore, now = NOW, limitPerSecond = 10): Promise<Claim> {
  return store.claimDue({ now: () => now, leaseMs: LEASE, limitPerSecond });
}

function insertDue(store: TaskStore, nextCheckAt = NOW) {
  return insertVisible(store, { state: 'WAITING', nextCheckAt });
}

describe.each(STORES)('claiming checks in $name', ({ open }) => {
  it('hands out tasks as they are once their check is due, hidden ones too', async () => {
    const { store } = await open();
    const due = await insertDue(store);
    const hidden = await insertHidden(store, { markedAt: NOW - 1, nextCheckAt: NOW });
    const { records } = await claim(store);
    expect(new Map(records.map((record) => [record.id, record]))).toEqual(
      new Map([
        [due.id, due],
        [hidden.id, hidden],
      ]),
    );
  });

  it('leaves alone what is not due yet or has nothing left to find out, and says when to come back', async () => {
    const { store } = await open();
    await insertVisible(store, { state: 'SUCCESS' });
    expect(await claim(store)).toEqual({ records: [], nextAt: null });
    const later = await insertDue(store, NOW + 5000);
    await insertDue(store, NOW + 9000);
    expect(await claim(store, NOW + 4999)).toEqual({ records: [], nextAt: NOW + 5000 });
    const claimed = await claim(store, NOW + 5000);
    expect(idsOf(claimed.records)).toEqual([later.id]);
    expect(claimed.nextAt).toBe(NOW + 9000);
  });

  it('takes the most overdue ones when not all can be had', async () => {
    const { store } = await open();
    const fresh = await insertDue(store, NOW - 1);
    const older = await insertDue(store, NOW - 2000);
    const oldest = await insertDue(store, NOW - 3000);
    expect(idsOf((await claim(store, NOW, 2)).records).sort()).toEqual([older.id, oldest.id].sort());
    expect(idsOf((await claim(store, NOW + 1000, 2)).records)).toEqual([fresh.id]);
  });

  it('writes nothing that a reader or another writer would notice', async () => {
    const { store, told } = await open();
    const task = await insertDue(store);
    await claim(store);
    expect(await store.get(task.id)).toEqual(task);
    expect(told.flat()).toEqual([task]);
    expect(await store.amend(task)).not.toBeNull();
  });

  it('hands out no task twice, however many ask at once', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 30 }, () => insertDue(store)));
    const claims = await Promise.all(Array.from({ length: 10 }, () => claim(store, NOW, 25)));
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
  });
});

describe.each(STORES)('a check lease in $name', ({ open }) => {
  it('keeps others away until it ends', async () => {
    const { store } = await open();
    const task = await insertDue(store);
    await claim(store);
    expect((await claim(store, NOW + LEASE - 1)).records).toEqual([]);
    expect(idsOf((await claim(store, NOW + LEASE)).records)).toEqual([task.id]);
  });

  it.each(['save', 'amend'] as const)('ends when the task is written (%s)', async (write) => {
    const { store } = await open();
    const task = await insertDue(store);
    await claim(store);
    await store[write]({ ...task, nextCheckAt: NOW + 1000 });
    expect(idsOf((await claim(store, NOW + 1000)).records)).toEqual([task.id]);
  });

  it('does not keep a task away whose check was brought forward meanwhile', async () => {
    const { store } = await open();
    const task = await insertDue(store);
    await claim(store);
    await amended(store, { ...task, nextCheckAt: NOW + 1 });
    expect(idsOf((await claim(store, NOW + 1)).records)).toEqual([task.id]);
  });

  it('is not ended by opening again: other processes may hold leases', async () => {
    const opened = await open();
    await insertDue(opened.store);
    await claim(opened.store);
    const { store } = await opened.reopen();
    expect((await claim(store, NOW + 1)).records).toEqual([]);
  });
});

describe.each(STORES)('the query limit in $name', ({ open }) => {
  it('holds over any second, and says when the next query is free', async () => {
    const { store } = await open();
    for (let n = 0; n < 5; n += 1) await insertDue(store);
    const first = await claim(store, NOW, 2);
    expect(first.records).toHaveLength(2);
    expect(first.nextAt).toBe(NOW + 1000);
    expect(await claim(store, NOW + 999, 2)).toEqual({ records: [], nextAt: NOW + 1000 });
    expect((await claim(store, NOW + 1000, 2)).records).toHaveLength(2);
  });

  it('slides: each query is free again one second after it was claimed', async () => {
    const { store } = await open();
    await insertDue(store);
    await claim(store, NOW, 2);
    for (let n = 0; n < 3; n += 1) await insertDue(store, NOW + 1);
    expect((await claim(store, NOW + 600, 2)).records).toHaveLength(1);
    const third = await claim(store, NOW + 1000, 2);
    expect(third.records).toHaveLength(1);
    expect(third.nextAt).toBe(NOW + 1600);
  });

  it('is not touched by create calls', async () => {
    const { store } = await open();
    await insertVisible(store);
    await store.claimSubmissions({
      now: () => NOW,
      processId: PROCESS,
      attempt: randomUUID(),
      limit: 1,
      windowMs: 10_000,
      checkAfterMs: 60_000,
    });
    await insertDue(store);
    expect((await claim(store, NOW, 1)).records).toHaveLength(1);
  });

  it('survives opening again', async () => {
    const opened = await open();
    for (let n = 0; n < 2; n += 1) await insertDue(opened.store);
    await claim(opened.store, NOW, 1);
    const { store } = await opened.reopen();
    expect(await claim(store, NOW + 500, 1)).toEqual({ records: [], nextAt: NOW + 1000 });
  });
});

describe.each(STORES)('a task of $name that ended', ({ open }) => {
  it('is checked no more', async () => {
    const { store } = await open();
    const task = await insertDue(store);
    await saved(store, { ...task, state: 'SUCCESS', nextCheckAt: null });
    expect(await claim(store)).toEqual({ records: [], nextAt: null });
  });
});
