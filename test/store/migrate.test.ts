import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { runCopy } from '../../src/cli/copy.ts';
import { runMigrate } from '../../src/cli/migrate.ts';
import {
  migrateStore,
  openConnections,
  pendingIn,
  type StoreLocation,
} from '../../src/store/open-connections.ts';
import { StoreSchemaError } from '../../src/store/schema.ts';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { quickDir } from '../kit/gateway.ts';
import { emptyDatabase, openTaskStore, queryDatabase } from '../kit/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { claimCopies, copyFor, insertSucceeded, saveCopy } from './copy-records.ts';
import { insertVisible } from './records.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const ALL = [
  '0001-tasks',
  '0002-creations',
  '0003-attempts',
  '0004-course',
  '0005-uploads',
  '0006-failed',
  '0007-bounded-reads',
  '0008-provider-ids',
  '0009-last-words',
  '0010-models',
  '0011-archive',
];
const TOMORROW = "(name, timestamp) values ('9999-tomorrow', '2030-01-01')";

/** A place in which nothing was ever stored, and what an administrator can do there by hand. */
interface Place {
  readonly location: StoreLocation;
  readonly env: Readonly<Record<string, string>>;
  run(statement: string): Promise<readonly object[]>;
}

const PLACES = [
  {
    name: 'SQLite',
    tables: "select name from sqlite_master where type = 'table'",
    async empty(): Promise<Place> {
      const dataDir = await quickDir();
      const run = (statement: string): Promise<readonly object[]> => {
        const database = new DatabaseSync(join(dataDir, 'kineograph.db'));
        const rows = database.prepare(statement).all() as readonly object[];
        database.close();
        return Promise.resolve(rows);
      };
      return { location: { kind: 'sqlite', dataDir }, env: { DATA_DIR: dataDir }, run };
    },
  },
  {
    name: 'PostgreSQL',
    tables: "select table_name from information_schema.tables where table_schema = 'public'",
    async empty(): Promise<Place> {
      const url = await emptyDatabase();
      const run = (statement: string): Promise<readonly object[]> => queryDatabase(url, statement);
      return { location: { kind: 'postgres', url, readers: 1 }, env: { DATABASE_URL: url }, run };
    },
  },
];

/** What `migrate` prints. */
async function printed(isDryRun: boolean, env: Place['env']): Promise<string> {
  const stdout = new PassThrough();
  await runMigrate(isDryRun, env, stdout);
  stdout.end();
  return text(stdout);
}

async function namesIn(run: Place['run'], table = 'kineograph_migration'): Promise<readonly unknown[]> {
  return (await run(`select name from ${table} order by name`)).map((row) =>
    'name' in row ? row.name : null,
  );
}

/** Opens a store as the gateway does, and closes it. */
async function open(location: StoreLocation, mayMigrate: boolean): Promise<void> {
  await (await openConnections(location, { mayMigrate, onError: () => undefined })).close();
}

/** Brings a migrated store back to where videos had no copies, there was one model, tasks had no last words, and provider ids were not unique. */
async function undoLast(run: Place['run'], list = 'kineograph_migration'): Promise<void> {
  await run(`delete from ${list} where name in ('${LAST.join("', '")}')`);
  await run('drop table video_copies');
  await run("delete from counters where name = 'archive_bytes'");
  await run('drop index tasks_to_copy');
  await run('drop index tasks_by_variant');
  await run('drop index tasks_by_model');
  for (const column of ['provider', 'options', 'variant', 'send_at', 'archive_at', 'last_words'])
    await run(`alter table tasks drop column ${column}`);
  await run('alter table slots drop column provider');
  await run('drop index tasks_by_provider_id');
  await run('create index tasks_by_provider_id on tasks (provider_task_id)');
}
const LAST = ALL.slice(-4);

describe.each(PLACES)('migrating $name', ({ empty, tables }) => {
  it('a new store gets every migration once; a dry run prints them and makes no tables', async () => {
    const { env, location, run } = await empty();
    const list = ALL.map((name) => `  ${name}\n`).join('');
    for (let time = 0; time < 2; time += 1)
      expect(await printed(true, env)).toBe(`Pending migrations:\n${list}`);
    await expect(open(location, false)).rejects.toThrow(
      new StoreSchemaError(
        `The store lacks the migrations ${ALL.join(', ')}. Run "kineograph migrate", or start without MIGRATE=false.`,
      ),
    );
    expect(await run(tables)).toEqual([]);
    expect(await printed(false, env)).toBe(`Applied migrations:\n${list}`);
    for (const isDryRun of [false, true]) expect(await printed(isDryRun, env)).toMatch(/nothing to do/);
    expect(await migrateStore(location)).toEqual([]);
    await open(location, false);
  });

  it('an old store keeps its tasks, with the options of the default model; a shared provider id stays with the task whose create call returned it', async () => {
    const { location, run } = await empty();
    const before = await openTaskStore(location);
    const timeline = [{ state: 'WAITING', at: 1, source: 'CREATE_ANSWER' }] as const;
    const adopted = await insertVisible(before, { providerTaskId: 'kie-3', state: 'WAITING' });
    const created = await insertVisible(before, { providerTaskId: 'kie-1', state: 'WAITING', timeline });
    const other = await insertVisible(before, { providerTaskId: 'kie-2', state: 'WAITING' });
    await before.close();
    await undoLast(run);
    await run("update tasks set provider_task_id = 'kie-1' where provider_task_id = 'kie-3'");
    expect(await pendingIn(location)).toEqual(LAST);
    expect(await migrateStore(location)).toEqual(LAST);
    const store = await openTaskStore(location);
    expect(await store.find('ann', 'kie-1')).toEqual(created);
    expect(await store.find('ann', 'kie-2')).toEqual(other);
    const version = adopted.version + 1;
    const providerTaskId = `kie-1#${adopted.id}`;
    expect(await store.get(adopted.id)).toEqual({ ...adopted, providerTaskId, version });
    await expect(store.save({ ...other, providerTaskId: 'kie-1' })).rejects.toThrow(/unique/i);
    await store.close();
  });

  it('an old store has the videos of the last 14 days copied; the provider has deleted older ones', async () => {
    const { location, run } = await empty();
    const before = await openTaskStore(location);
    const now = Date.now();
    const young = await insertSucceeded(before, now - 14 * DAY_MS + 60_000);
    const old = await insertSucceeded(before, now - 14 * DAY_MS - 1);
    const failed = await insertVisible(before, { state: 'FAIL', completedAt: now });
    const running = await insertVisible(before, { state: 'GENERATING' });
    await before.close();
    await undoLast(run);
    await migrateStore(location);
    const store = await openTaskStore(location);
    const archiveAt = async (task: TaskRecord) => (await store.get(task.id))?.archiveAt;
    expect(await Promise.all([young, old, failed, running].map(archiveAt))).toEqual([0, null, 0, 0]);
    expect(await claimCopies(store, now)).toMatchObject({ records: [{ id: young.id }] });
    expect(await store.storedBytes()).toBe(0);
    await saveCopy(store, young, copyFor(young));
    expect(await store.storedBytes()).toBe(1000);
    await store.close();
  });

  it('a store with a newer schema is refused with advice and stays unchanged', async () => {
    const { env, location, run } = await empty();
    await migrateStore(location);
    await run(`insert into kineograph_migration ${TOMORROW}`);
    const other = location.kind === 'sqlite' ? await emptyDatabase() : await quickDir();
    if (location.kind === 'postgres') await migrateStore({ kind: 'sqlite', dataDir: other });
    const copy = (): Promise<void> =>
      location.kind === 'sqlite'
        ? runCopy(location.dataDir, other, new PassThrough())
        : runCopy(other, location.url, new PassThrough());
    for (const way of [
      () => open(location, true),
      () => open(location, false),
      () => printed(false, env),
      () => printed(true, env),
      copy,
    ])
      await expect(way()).rejects.toThrow(
        new StoreSchemaError(
          'The schema of the store is newer (9999-tomorrow) than this version of Kineograph supports. ' +
            'Start the newer version again, or restore the backup from before the upgrade.',
        ),
      );
    expect(await namesIn(run)).toEqual([...ALL, '9999-tomorrow']);
  });

  it('the migration list of 0.1.0 is imported and kept up to date', async () => {
    const { location, run } = await empty();
    await migrateStore(location);
    await run('alter table kineograph_migration rename to kysely_migration');
    await undoLast(run, 'kysely_migration');
    expect(await pendingIn(location)).toEqual(LAST);
    await expect(open(location, false)).rejects.toThrow(`The store lacks the migrations ${LAST.join(', ')}.`);
    expect(await migrateStore(location)).toEqual(LAST);
    expect([await namesIn(run), await namesIn(run, 'kysely_migration')]).toEqual([ALL, ALL]);
    expect(await migrateStore(location)).toEqual([]);
    await run(`insert into kysely_migration ${TOMORROW}`);
    await expect(open(location, true)).rejects.toThrow('schema of the store is newer');
  });
});

describe('migrating a shared database', () => {
  const at = (url: string): StoreLocation => ({ kind: 'postgres', url, readers: 1 });

  it('the migration list of another application stays unchanged', async () => {
    const url = await emptyDatabase();
    const run = (statement: string): Promise<readonly object[]> => queryDatabase(url, statement);
    await run(`create table kysely_migration (name text primary key, timestamp text);
      insert into kysely_migration values ('0001-tasks', '2020-01-01'), ('0002-theirs', '2020-01-02')`);
    expect(await migrateStore(at(url))).toEqual(ALL);
    expect(await migrateStore(at(url))).toEqual([]);
    await open(at(url), false);
    expect(await namesIn(run, 'kysely_migration')).toEqual(['0001-tasks', '0002-theirs']);
  });

  it('a migration waits for others and ignores the timeouts of its role', async () => {
    const url = await emptyDatabase();
    const name = new URL(url).pathname.slice(1);
    const admin = inject('postgresUrl');
    for (const limit of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
      await queryDatabase(admin, `alter database ${name} set ${limit} = '1s'`);
    // Another one that is at it: the lock of Kysely's migrator is waited for.
    const other = new Client({ connectionString: url });
    await other.connect();
    await other.query('set statement_timeout = 0');
    await other.query('select pg_advisory_lock(3853314791062309107)');
    const migrated = migrateStore(at(url));
    const waits = `select pg_sleep(1.1) from pg_locks join pg_database on oid = database
      where datname = '${name}' and locktype = 'advisory' and not granted`;
    while ((await queryDatabase(admin, waits)).length === 0) await setImmediate();
    await other.end();
    expect(await migrated).toEqual(ALL);
  });

  it('concurrent migrations of a database run once', async () => {
    const url = await emptyDatabase();
    const runs = await Promise.all(Array.from({ length: 4 }, () => migrateStore(at(url))));
    expect(runs.flat().sort()).toEqual(ALL);
  });
});
