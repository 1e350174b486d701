import { Client } from 'pg';
import { describe, expect, inject, it, vi } from 'vitest';
import { POOLED } from '../../src/store/postgres/pool.ts';
import { StoreSchemaError } from '../../src/store/schema.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { openTaskStore, queryDatabase, temporaryDatabase } from '../kit/store.ts';
import { startPostgresProxy } from '../kit/tcp-proxy.ts';
import { startTransactionPooler } from '../kit/transaction-pooler.ts';
import { createQueue, named, onTestEnd } from '../kit/waits.ts';
import { NOW, claimSubmissions, hiddenTask, idsOf, insertHidden, insertVisible, saved } from './records.ts';
import { openReplica } from './stores.ts';

/** A statement that runs others once some statement waits for a lock. */
function onceSomebodyWaits(statements = ''): string {
  return `
    do $$ begin
      while not exists (
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      ) loop
        perform pg_sleep(0.01), pg_stat_clear_snapshot();
      end loop;
      ${statements}
    end $$`;
}

/** A store on a database of its own, by way of a proxy. That connections break is no failure here. */
async function open() {
  const database = await temporaryDatabase();
  const proxy = await startPostgresProxy(database);
  const errors: unknown[] = [];
  const told = createQueue<VisibleRecord>('a change');
  const store = await openTaskStore(
    { kind: 'postgres', url: proxy.url, readers: 2 },
    (changes) => {
      changes.forEach(told.push);
    },
    { onError: (error) => errors.push(error) },
  );
  onTestEnd(() => store.close());
  const count = async (table: string): Promise<number> => {
    const [row] = await queryDatabase(database, `select count(*) from ${table}`);
    return Number(row?.['count']);
  };
  return { count, database, errors, proxy, store, told };
}

/** Somebody else who works in a transaction of their own. */
async function begin(url: string, statement: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  onTestEnd(() => client.end());
  await client.query(`begin; ${statement}`);
  return client;
}

const lockTasks = (url: string) => begin(url, 'lock table tasks in access exclusive mode');

/** Ends every connection of a store to a database; resolves when they are gone. */
async function breakConnections(database: string): Promise<void> {
  await queryDatabase(
    database,
    `select pg_terminate_backend(pid, 10000) from pg_stat_activity
       where datname = current_database() and application_name = 'kineograph'`,
  );
}

describe.each([
  ['is lost on its way back', 'loseNextCommit'],
  ['is lost on its way there', 'dropNextCommit'],
] as const)('a COMMIT that %s', (_, lose) => {
  it('an insert whose COMMIT is lost happens once, with its twin and its cap', async () => {
    const { count, proxy, store } = await open();
    const caps = [{ limit: 1, windowMs: 60_000 }];
    const lost = proxy[lose]();
    const [task, twin] = [hiddenTask({ idempotencyKey: 'key' }), hiddenTask({ idempotencyKey: 'key' })];
    const bobs = hiddenTask({ owner: 'bob' });
    const inserted = [store.insert(task), store.insert(twin), store.insert(bobs, caps)];
    expect(await Promise.all(inserted)).toEqual([task, task, bobs]);
    await lost;
    expect(await store.insert(hiddenTask({ owner: 'bob' }), caps)).toMatchObject({ cap: caps[0] });
    expect(await count('tasks')).toBe(2);
  });

  it('a claim whose COMMIT is lost takes its slots once', async () => {
    const { count, proxy, store } = await open();
    const tasks = [await insertHidden(store), await insertHidden(store)];
    await insertHidden(store);
    const lost = proxy[lose]();
    const { records } = await claimSubmissions(store);
    await lost;
    expect(idsOf(records).sort()).toEqual(idsOf(tasks).sort());
    expect(await count('slots')).toBe(2);
  });

  it('a change whose COMMIT is lost is written and published once', async () => {
    // Without its regular poll the store has to notice by itself.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestEnd(() => void vi.useRealTimers());
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

it('a store whose user lacks a privilege is not opened, and the error says which and what to grant', async () => {
  const { database } = await open();
  const role = new URL(database).pathname.slice(1);
  const url = Object.assign(new URL(database), { username: role, password: 'hush' }).href;
  onTestEnd(async () => {
    await queryDatabase(database, `drop owned by ${role}; drop role ${role}`);
  });
  await queryDatabase(
    database,
    `create role ${role} login password 'hush'; grant select, insert, update, delete on all tables in schema public to ${role}`,
  );
  await expect(openTaskStore({ kind: 'postgres', url, readers: 1 })).rejects.toThrow(
    /permission denied for sequence slots_id_seq.*USAGE on all sequences/,
  );
  await queryDatabase(database, `grant usage on all sequences in schema public to ${role}`);
  for (const privilege of ['insert', 'update', 'delete']) {
    await queryDatabase(database, `revoke ${privilege} on video_copies from ${role}`);
    await expect(openTaskStore({ kind: 'postgres', url, readers: 1 })).rejects.toThrow(
      /permission denied for table video_copies/,
    );
    await queryDatabase(database, `grant ${privilege} on video_copies to ${role}`);
  }
  const store = await openTaskStore({ kind: 'postgres', url, readers: 1 });
  await store.close();
});

describe('a connection that breaks', () => {
  it('a broken connection is replaced and reported, until the store is closed', async () => {
    const { database, errors, store } = await open();
    const task = await insertVisible(store);
    for (let time = 0; time < 3; time += 1) {
      await breakConnections(database);
      const { revision } = await insertVisible(store);
      expect(await store.newestRevision()).toBe(revision);
    }
    expect(await store.find('ann', task.id)).toEqual(task);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).not.toHaveProperty('client');
    await store.close();
    const before = errors.length;
    await breakConnections(database);
    expect(errors).toHaveLength(before);
  });

  it('a connection that breaks loses no write in flight', async () => {
    const { count, database, store } = await open();
    const tasks = Array.from({ length: 50 }, () => hiddenTask());
    const other = await lockTasks(database);
    const writes = tasks.map((task) => store.insert(task));
    await queryDatabase(database, onceSomebodyWaits());
    await breakConnections(database);
    await other.query('rollback');
    expect(await Promise.all(writes)).toEqual(tasks);
    expect(await count('tasks')).toBe(50);
  });

  it('a connection that breaks fails only the read in flight', async () => {
    const { database, store } = await open();
    const task = await insertVisible(store);
    const other = await lockTasks(database);
    const expected = expect(store.get(task.id)).rejects.toThrow(StoreUnavailableError);
    await queryDatabase(database, onceSomebodyWaits());
    await breakConnections(database);
    await expected;
    await other.query('rollback');
    expect(await store.get(task.id)).toEqual(task);
  });
});

it('a read-only database rejects writes until it is writable again', async () => {
  const { database, store } = await open();
  const name = new URL(database).pathname.slice(1);
  const alter = async (change: string): Promise<void> => {
    await queryDatabase(inject('postgresUrl'), `alter database ${name} ${change}`);
  };
  onTestEnd(() => alter('reset default_transaction_read_only'));
  await insertVisible(store);
  // Only sessions that begin from now on are read-only, and they stay so.
  await alter('set default_transaction_read_only = on');
  await breakConnections(database);
  await expect(store.insert(hiddenTask())).rejects.toThrow('read-only transaction');
  await expect(store.ping()).rejects.toThrow(StoreUnavailableError);
  await alter('reset default_transaction_read_only');
  expect(await insertVisible(store)).toMatchObject({ revision: 2 });
});

it('a ping fails while the table of tasks is missing', async () => {
  const { database, store } = await open();
  await store.ping();
  await queryDatabase(database, 'alter table tasks rename to missing');
  const putBack = async (): Promise<void> => {
    await queryDatabase(database, 'alter table if exists missing rename to tasks');
  };
  onTestEnd(putBack);
  await expect(store.ping()).rejects.toThrow(StoreUnavailableError);
  await putBack();
  await store.ping();
});

it('a write that PostgreSQL aborts in a deadlock is retried', async () => {
  const { database, store } = await open();
  const first = await insertVisible(store, { createdAt: NOW - 1 });
  const second = await insertVisible(store);
  const touch = (id: string): string => `update tasks set prompt = prompt where id = '${id}'`;
  // The store is to be the one that looks for a deadlock, and that is aborted for it.
  const other = await begin(database, `set local deadlock_timeout = '1min'; ${touch(second.id)}`);
  // Marks the first task, and waits for the second one.
  const claim = claimSubmissions(store);
  await named('both to have waited', other.query(onceSomebodyWaits(`${touch(first.id)};`)));
  await other.query('commit');
  expect(idsOf((await claim).records)).toEqual([first.id, second.id]);
});

it('a pooler in transaction mode is rejected unless DATABASE_LISTEN_URL bypasses it', async () => {
  const direct = await temporaryDatabase();
  const url = await startTransactionPooler(direct);
  await expect(openReplica(url)).rejects.toThrow(new StoreSchemaError(POOLED));
  const [one, other] = [await openReplica(url, direct), await openReplica(url, direct)];
  await one.store.follow();
  await one.wakes.take();
  const { revision } = await insertVisible(other.store);
  await one.wakes.take();
  await one.tells(revision);
});
