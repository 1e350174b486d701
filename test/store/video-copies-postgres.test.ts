import { setImmediate } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { openTaskStore, queryDatabase, temporaryDatabase } from '../kit/store.ts';
import { startPostgresProxy } from '../kit/tcp-proxy.ts';
import { onTestEnd } from '../kit/waits.ts';
import { copyFor, claimCopies, insertCopied, insertSucceeded, storedIn } from './copy-records.ts';
import { NOW, idsOf } from './records.ts';
import { openReplica } from './stores.ts';

/** A store behind a proxy that can lose a COMMIT. */
async function openBehindProxy() {
  const proxy = await startPostgresProxy(await temporaryDatabase());
  const location = { kind: 'postgres', url: proxy.url, readers: 2 } as const;
  const store = await openTaskStore(location, () => undefined, { onError: () => undefined });
  onTestEnd(() => store.close());
  return { proxy, store };
}

describe.each([
  ['is lost on its way back', 'loseNextCommit'],
  ['is lost on its way there', 'dropNextCommit'],
] as const)('a COMMIT that %s', (_, lose) => {
  it('saves a copy and counts its bytes once', async () => {
    const { proxy, store } = await openBehindProxy();
    const task = await insertSucceeded(store);
    const copy = copyFor(task);
    const reservation = proxy[lose]();
    expect(await store.reserveObject(copy)).toBe(copy.object);
    await reservation;
    expect(await store.storedBytes()).toBe(1000);
    const lost = proxy[lose]();
    const saved = await store.saveCopy(storedIn(task, copy), copy);
    await lost;
    const current = await store.get(task.id);
    expect(current).toMatchObject({ videos: [{ copy: { state: 'STORED' } }], archiveAt: null });
    expect([null, current]).toContainEqual(saved);
    expect(await store.copyOf(task.id, 0)).toEqual(copy);
    expect(await store.storedBytes()).toBe(1000);
  });

  it('forgets a copy and subtracts its bytes once', async () => {
    const { proxy, store } = await openBehindProxy();
    const { copy, task } = await insertCopied(store);
    await insertCopied(store, { bytes: 5 });
    await store.dropCopy(task, 0);
    const lost = proxy[lose]();
    await store.forgetCopy({ ...copy, isShared: false });
    await lost;
    expect(await store.doomedCopies(9)).toEqual([]);
    expect(await store.storedBytes()).toBe(5);
  });

  it('drops a copy once', async () => {
    const { proxy, store } = await openBehindProxy();
    const { copy, task } = await insertCopied(store);
    const lost = proxy[lose]();
    const dropped = await store.dropCopy(task, 0);
    await lost;
    const current = await store.get(task.id);
    expect(current?.version).toBe(task.version + 1);
    expect([null, current]).toContainEqual(dropped);
    expect(await store.doomedCopies(9)).toEqual([{ ...copy, isShared: false }]);
  });

  it('leaves claimed tasks to this claim or to the end of its lease', async () => {
    const { proxy, store } = await openBehindProxy();
    const task = await insertSucceeded(store);
    const lost = proxy[lose]();
    const { nextAt, records } = await claimCopies(store);
    await lost;
    expect([[], [task.id]]).toContainEqual(idsOf(records));
    expect(idsOf((await claimCopies(store, nextAt ?? NOW)).records)).toEqual([task.id]);
  });
});

describe('two replicas', () => {
  async function openTwo() {
    const url = await temporaryDatabase();
    const [one, other] = [await openReplica(url), await openReplica(url)];
    return { url, one: one.store, other: other.store };
  }

  /** Locks rows until the returned function is called. */
  async function lockRows(url: string, select: string): Promise<() => Promise<void>> {
    const client = new Client({ connectionString: url });
    await client.connect();
    onTestEnd(() => client.end());
    await client.query(`begin; ${select} for update`);
    return async () => {
      await client.query('rollback');
    };
  }

  /** Resolves when `count` connections wait for a lock. */
  async function waiting(url: string, count: number): Promise<void> {
    const waits =
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while ((await queryDatabase(url, waits)).length < count) await setImmediate();
  }

  it('leave the object of two copies to one of them when each forgets another one', async () => {
    const { one, other, url } = await openTwo();
    const first = await insertCopied(one);
    const { object, sha256 } = first.copy;
    const second = await insertCopied(one, { object, sha256 });
    for (const { task } of [first, second]) await one.dropCopy(task, 0);
    const unlock = await lockRows(url, 'select from video_copies');
    const forgotten = [
      one.forgetCopy({ ...first.copy, isShared: true }),
      other.forgetCopy({ ...second.copy, isShared: true }),
    ];
    await waiting(url, 2);
    await unlock();
    await Promise.all(forgotten);
    const [last, ...others] = await one.doomedCopies(9);
    expect([last?.isShared, others]).toEqual([false, []]);
    expect(await one.storedBytes()).toBe(1000);
    if (last) await other.forgetCopy(last);
    expect([await one.doomedCopies(9), await one.storedBytes()]).toEqual([[], 0]);
  });

  it('keep the object of a deleted task while a copy in it is being saved', async () => {
    const { one, other, url } = await openTwo();
    const old = await insertCopied(one, { storedAt: NOW - 1 });
    const { object, sha256 } = old.copy;
    const task = await insertSucceeded(one);
    const copy = copyFor(task, { object, sha256 });
    const unlock = await lockRows(url, `select from tasks where id = '${task.id}'`);
    const saved = one.saveCopy(storedIn(task, copy), copy);
    await waiting(url, 1);
    const swept = other.sweepEnded({ endedBefore: NOW, limit: 9 });
    await Promise.race([swept, waiting(url, 2)]);
    // Nobody may see an object to be deleted that the other one is about to share.
    expect(await other.doomedCopies(9)).toEqual([]);
    await unlock();
    expect(await saved).toMatchObject({ id: task.id });
    expect(await swept).toBe(1);
    expect(await other.doomedCopies(9)).toEqual([{ ...old.copy, isShared: true }]);
  });

  it('claim each task once', async () => {
    const { one, other } = await openTwo();
    for (let n = 0; n < 20; n += 1) await insertSucceeded(one);
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, n) => claimCopies(n % 2 === 0 ? one : other, NOW, 2)),
    );
    const claimed = claims.flatMap(({ records }) => idsOf(records));
    expect(new Set(claimed).size).toBe(20);
    expect(claimed).toHaveLength(20);
  });
});
