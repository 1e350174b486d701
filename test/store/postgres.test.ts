import { Client } from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { POOLED } from '../../src/store/postgres/pool.ts';
import { StoreSchemaError } from '../../src/store/schema.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { onTestEnd, named } from '../kit/waits.ts';
import { openTaskStore, queryDatabase, temporaryDatabase } from '../kit/store.ts';
import { startTransactionPooler } from '../kit/transaction-pooler.ts';
import { NOW, claimSubmissions, hiddenTask, idsOf, insertVisible } from './records.ts';
import { openReplica } from './replicas.ts';

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

/** A store on a database of its own. That connections break is no failure here. */
async function open() {
  const database = await temporaryDatabase();
  const errors: unknown[] = [];
  const store = await openTaskStore({ kind: 'postgres', url: database, readers: 2 }, undefined, {
    onError: (error) => errors.push(error),
  });
  onTestEnd(() => store.close());
  const count = async (table: string): Promise<number> => {
    const [row] = await queryDatabase(database, `select count(*) from ${table}`);
    return Number(row?.['count']);
  };
  return { count, database, errors, store };
}

/** Somebody else whom all who read or write tasks have to wait for, until it has gone. */
async function lockTasks(database: string) {
  const client = new Client({ connectionString: database });
  await client.connect();
  await client.query('begin; lock table tasks in access exclusive mode');
  return {
    untilSomebodyWaits: () => queryDatabase(database, onceSomebodyWaits()),
    leave: () => client.end(),
  };
}

/** Ends every connection of a store to a database; resolves when they are gone. */
async function breakConnections(database: string): Promise<void> {
  await queryDatabase(
    database,
    `select pg_terminate_backend(pid, 10000) from pg_stat_activity
       where datname = current_database() and application_name = 'kineograph'`,
  );
}

describe('a pooler in transaction mode', () => {
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
});

describe('a database that becomes read-only', () => {
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
  const store = await openTaskStore({ kind: 'postgres', url, readers: 1 });
  await store.close();
});

describe('a connection that breaks', () => {
  it('a broken connection is replaced before the next write and read', async () => {
    const { database, store } = await open();
    const task = await insertVisible(store);
    for (let time = 0; time < 3; time += 1) {
      await breakConnections(database);
      const { revision } = await insertVisible(store);
      expect(await store.newestRevision()).toBe(revision);
    }
    expect(await store.find('ann', task.id)).toEqual(task);
  });

  it('a connection that breaks loses no write in flight', async () => {
    const { count, database, store } = await open();
    const tasks = Array.from({ length: 50 }, () => hiddenTask());
    const other = await lockTasks(database);
    const writes = tasks.map((task) => store.insert(task));
    await other.untilSomebodyWaits();
    await breakConnections(database);
    await other.leave();
    expect(await Promise.all(writes)).toEqual(tasks);
    expect(await count('tasks')).toBe(50);
  });

  it('a connection that breaks fails only the read in flight', async () => {
    const { database, store } = await open();
    const task = await insertVisible(store);
    const other = await lockTasks(database);
    const read = store.get(task.id);
    const expected = expect(read).rejects.toThrow(StoreUnavailableError);
    await other.untilSomebodyWaits();
    await breakConnections(database);
    await expected;
    await other.leave();
    expect(await store.get(task.id)).toEqual(task);
  });

  it('a broken idle connection is reported until the store is closed', async () => {
    const { database, errors, store } = await open();
    await insertVisible(store);
    await breakConnections(database);
    await insertVisible(store);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).not.toHaveProperty('client');
    const before = errors.length;
    await store.close();
    await breakConnections(database);
    expect(errors).toHaveLength(before);
  });
});

const touch = (id: string): string => `update tasks set prompt = prompt where id = '${id}'`;

/** Somebody else who writes to the same database, in a transaction of their own. */
async function begin(url: string): Promise<Client> {
  const client = new Client(url);
  await client.connect();
  onTestEnd(() => client.end());
  await client.query('begin');
  return client;
}

it('a write that PostgreSQL aborts in a deadlock is retried', async () => {
  const url = await temporaryDatabase();
  const store = await openTaskStore({ kind: 'postgres', url, readers: 2 });
  onTestEnd(() => store.close());
  const first = await insertVisible(store, { createdAt: NOW - 1 });
  const second = await insertVisible(store);

  const other = await begin(url);
  await other.query(touch(second.id));
  // Marks the first task, and waits for the second one.
  const turns = claimSubmissions(store, { limit: 2 });
  // In the server, at once: after a second PostgreSQL looks whether those who wait wait for each other, and breaks off the one
  // that began first.
  await named('both to have waited', other.query(onceSomebodyWaits(`${touch(first.id)};`)));
  await other.query('commit');

  expect(idsOf((await turns).records)).toEqual([first.id, second.id]);
});
