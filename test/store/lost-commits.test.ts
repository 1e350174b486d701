import { describe, expect, it } from 'vitest';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { onTestEnd, createQueue } from '../kit/waits.ts';
import { openTaskStore, queryDatabase, temporaryDatabase } from '../kit/store.ts';
import { startPostgresProxy } from '../kit/tcp-proxy.ts';
import { NOW, PROCESS, hiddenTask, idsOf, insertHidden, saved } from './records.ts';

/** A store on a database of its own, by way of a proxy. That connections break is no failure here. */
async function open() {
  const database = await temporaryDatabase();
  const proxy = await startPostgresProxy(database);
  const told = createQueue<VisibleRecord>('a change');
  const store = await openTaskStore(
    { kind: 'postgres', url: proxy.url, readers: 2 },
    (changes) => {
      changes.forEach(told.push);
    },
    { onError: () => undefined },
  );
  onTestEnd(() => store.close());
  const count = async (table: string): Promise<number> => {
    const [row] = await queryDatabase(database, `select count(*) from ${table}`);
    return Number(row?.['count']);
  };
  return { count, proxy, store, told };
}

const WAYS = [
  ['is lost on its way back', 'loseNextCommit'],
  ['is lost on its way there', 'dropNextCommit'],
] as const;

describe.each(WAYS)('a COMMIT that %s', (_, lose) => {
  it('an insert whose COMMIT is lost happens once', async () => {
    const { count, proxy, store } = await open();
    const lost = proxy[lose]();
    const task = hiddenTask();
    expect(await store.insert(task)).toEqual(task);
    await lost;
    expect(await store.get(task.id)).toEqual(task);
    expect(await count('tasks')).toBe(1);
  });

  it('an insert with a key whose COMMIT is lost happens once', async () => {
    const { count, proxy, store } = await open();
    const lost = proxy[lose]();
    const [task, twin] = [hiddenTask({ idempotencyKey: 'key' }), hiddenTask({ idempotencyKey: 'key' })];
    expect(await Promise.all([store.insert(task), store.insert(twin)])).toEqual([task, task]);
    await lost;
    expect(await count('tasks')).toBe(1);
  });

  it('a task whose COMMIT is lost does not count against its own cap', async () => {
    const { count, proxy, store } = await open();
    const caps = [{ limit: 1, windowMs: 60_000 }];
    const lost = proxy[lose]();
    const task = hiddenTask();
    expect(await store.insert(task, caps)).toEqual(task);
    await lost;
    expect(await store.insert(hiddenTask(), caps)).toMatchObject({ cap: caps[0] });
    expect(await count('tasks')).toBe(1);
  });

  it('a claim whose COMMIT is lost takes its slots once', async () => {
    const { count, proxy, store } = await open();
    const tasks = [await insertHidden(store), await insertHidden(store)];
    await insertHidden(store);
    const lost = proxy[lose]();
    const turns = { now: () => NOW, limit: 2, processId: PROCESS, windowMs: 10_000, checkAfterMs: 90_000 };
    const { records } = await store.claimSubmissions({ ...turns, attempt: 'one' });
    await lost;
    expect(idsOf(records).sort()).toEqual(idsOf(tasks).sort());
    expect(await count('slots')).toBe(2);
  });

  it('a change whose COMMIT is lost is written and published once', async () => {
    const { proxy, store, told } = await open();
    await store.follow();
    const task = await insertHidden(store);
    const lost = proxy[lose]();
    const written = await store.save(task);
    await lost;
    const current = await store.get(task.id);
    expect(current).toEqual({ ...task, revision: current?.revision, version: 1 });
    expect([null, current]).toContainEqual(written);
    expect(await told.take()).toEqual(current);
    const last = await saved(store, await insertHidden(store));
    expect(await told.take()).toEqual(last);
  });
});
