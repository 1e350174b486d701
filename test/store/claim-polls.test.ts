import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Claim, TaskStore } from '../../src/tasks/store.ts';
import { NOW, PROCESS, amended, idsOf, insertHidden, insertVisible } from './records.ts';
import { STORES } from './stores.ts';

const LEASE = 30_000;

function claim(store: TaskStore, now = NOW, limitPerSecond = 10): Promise<Claim> {
  return store.claimDue({ now: () => now, leaseMs: LEASE, limitPerSecond });
}

function insertDue(store: TaskStore, nextCheckAt = NOW) {
  return insertVisible(store, { state: 'WAITING', nextCheckAt });
}

describe.each(STORES)('$name', ({ open }) => {
  it('a claim of polls returns due tasks as stored, hidden ones included', async () => {
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

  it('a claim of polls leaves out tasks that are not due or have ended, and returns the next due time', async () => {
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

  it('a claim of polls takes the most overdue tasks first', async () => {
    const { store } = await open();
    const fresh = await insertDue(store, NOW - 1);
    const older = await insertDue(store, NOW - 2000);
    const oldest = await insertDue(store, NOW - 3000);
    expect(idsOf((await claim(store, NOW, 2)).records).sort()).toEqual([older.id, oldest.id].sort());
    expect(idsOf((await claim(store, NOW + 1000, 2)).records)).toEqual([fresh.id]);
  });

  it('a claim of polls changes neither record nor version', async () => {
    const { store, told } = await open();
    const task = await insertDue(store);
    await claim(store);
    expect(await store.get(task.id)).toEqual(task);
    expect(told.flat()).toEqual([task]);
    expect(await store.amend(task)).not.toBeNull();
  });

  it('concurrent claims of polls return no task twice', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 30 }, () => insertDue(store)));
    const claims = await Promise.all(Array.from({ length: 10 }, () => claim(store, NOW, 25)));
    const ids = claims.flatMap(({ records }) => idsOf(records));
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('a poll lease excludes other claims until it expires', async () => {
    const { store } = await open();
    const task = await insertDue(store);
    await claim(store);
    expect((await claim(store, NOW + LEASE - 1)).records).toEqual([]);
    expect(idsOf((await claim(store, NOW + LEASE)).records)).toEqual([task.id]);
  });

  it.each(['save', 'amend'] as const)(
    'a poll lease ends with the next write of the task (%s)',
    async (write) => {
      const { store } = await open();
      const task = await insertDue(store);
      await claim(store);
      await store[write]({ ...task, nextCheckAt: NOW + 1000 });
      expect(idsOf((await claim(store, NOW + 1000)).records)).toEqual([task.id]);
    },
  );

  it('a poll lease does not delay a poll that was moved forward', async () => {
    const { store } = await open();
    const task = await insertDue(store);
    await claim(store);
    await amended(store, { ...task, nextCheckAt: NOW + 1 });
    expect(idsOf((await claim(store, NOW + 1)).records)).toEqual([task.id]);
  });

  it('a poll lease survives a reopened store', async () => {
    const opened = await open();
    await insertDue(opened.store);
    await claim(opened.store);
    const { store } = await opened.reopen();
    expect((await claim(store, NOW + 1)).records).toEqual([]);
  });
});

describe.each(STORES)('$name', ({ open }) => {
  it('the query limit holds in every second, and a claim returns when the next query is free', async () => {
    const { store } = await open();
    for (let n = 0; n < 5; n += 1) await insertDue(store);
    const first = await claim(store, NOW, 2);
    expect(first.records).toHaveLength(2);
    expect(first.nextAt).toBe(NOW + 1000);
    expect(await claim(store, NOW + 999, 2)).toEqual({ records: [], nextAt: NOW + 1000 });
    expect((await claim(store, NOW + 1000, 2)).records).toHaveLength(2);
  });

  it('the query limit uses a sliding window', async () => {
    const { store } = await open();
    await insertDue(store);
    await claim(store, NOW, 2);
    for (let n = 0; n < 3; n += 1) await insertDue(store, NOW + 1);
    expect((await claim(store, NOW + 600, 2)).records).toHaveLength(1);
    const third = await claim(store, NOW + 1000, 2);
    expect(third.records).toHaveLength(1);
    expect(third.nextAt).toBe(NOW + 1600);
  });

  it('create calls do not count against the query limit', async () => {
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

  it('the query limit survives a reopened store', async () => {
    const opened = await open();
    for (let n = 0; n < 2; n += 1) await insertDue(opened.store);
    await claim(opened.store, NOW, 1);
    const { store } = await opened.reopen();
    expect(await claim(store, NOW + 500, 1)).toEqual({ records: [], nextAt: NOW + 1000 });
  });
});
