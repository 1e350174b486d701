import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { DatabaseSync } from '../../src/store/sqlite/driver.ts';
import { runCopy } from '../../src/cli/copy.ts';
import { runMigrate } from '../../src/cli/migrate.ts';
import {
  migrateStore,
  pendingIn,
  openConnections,
  type StoreLocation,
} from '../../src/store/open-connections.ts';
import { StoreSchemaError } from '../../src/store/schema.ts';
import { quickDir } from '../kit/gateway.ts';
import { openTaskStore, emptyDatabase, queryDatabase } from '../kit/store.ts';
import { insertVisible } from './records.ts';

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
];
const NEWER = "insert into kineograph_migration (name, timestamp) values ('9999-tomorrow', '2030-01-01')";

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

async function namesIn(run: Place['run'], table: string): Promise<readonly unknown[]> {
  const rows = await run(`select name from ${table} order by name`);
  return rows.map((row) => ('name' in row ? row.name : null));
}

/** Opens a store as the gateway does, and closes it. */
async function open(
  location: StoreLocation,
  { mayMigrate }: { readonly mayMigrate: boolean },
): Promise<void> {
  const connections = await openConnections(location, { mayMigrate, onError: () => undefined });
  await connections.close();
}

/** Brings a migrated store back to where tasks had no last words. */
async function withoutLastWords(
  run: (sql: string) => Promise<unknown>,
  list = 'kineograph_migration',
): Promise<void> {
  await run(`delete from ${list} where name = '0009-last-words'`);
  await run('alter table tasks drop column last_words');
}

/** Brings a migrated store back to where provider ids were not unique. */
async function withoutProviderIds(run: (sql: string) => Promise<unknown>): Promise<void> {
  await withoutLastWords(run);
  await run("delete from kineograph_migration where name = '0008-provider-ids'");
  await run('drop index tasks_by_provider_id');
  await run('create index tasks_by_provider_id on tasks (provider_task_id)');
}

describe.each(PLACES)('migrating $name', ({ empty, tables }) => {
  it('a new store gets every migration once, and their names are printed', async () => {
    const { env, location } = await empty();
    expect(await printed(false, env)).toBe(
      `Applied migrations:\n${ALL.map((name) => `  ${name}\n`).join('')}`,
    );
    expect(await printed(false, env)).toMatch(/nothing to do/);
    expect(await migrateStore(location)).toEqual([]);
    await open(location, { mayMigrate: false });
  });

  it('an old store gets the missing migrations and keeps its tasks', async () => {
    const { location, run } = await empty();
    const first = await openTaskStore(location);
    const task = await insertVisible(first);
    await first.close();
    await withoutLastWords(run);
    expect(await pendingIn(location)).toEqual(['0009-last-words']);
    expect(await migrateStore(location)).toEqual(['0009-last-words']);
    const store = await openTaskStore(location);
    expect(await store.find('ann', task.id)).toEqual(task);
    await store.close();
  });

  it('a shared provider id stays with the task whose create call returned it', async () => {
    const { location, run } = await empty();
    const before = await openTaskStore(location);
    const adopted = await insertVisible(before, { providerTaskId: 'kie-3', state: 'WAITING' });
    const timeline = [{ state: 'WAITING', at: 1, source: 'CREATE_ANSWER' }] as const;
    const created = await insertVisible(before, { providerTaskId: 'kie-1', state: 'WAITING', timeline });
    const other = await insertVisible(before, { providerTaskId: 'kie-2', state: 'WAITING' });
    await before.close();
    await withoutProviderIds(run);
    await run("update tasks set provider_task_id = 'kie-1' where provider_task_id = 'kie-3'");
    await migrateStore(location);
    const store = await openTaskStore(location);
    expect(await store.find('ann', 'kie-1')).toEqual(created);
    expect(await store.find('ann', 'kie-2')).toEqual(other);
    const providerTaskId = `kie-1#${adopted.id}`;
    expect(await store.find('ann', adopted.id)).toMatchObject({ providerTaskId, revision: adopted.revision });
    await store.close();
  });

  it('a dry run prints the pending migrations and changes nothing', async () => {
    const { env, run } = await empty();
    const expected = `Pending migrations:\n${ALL.map((name) => `  ${name}\n`).join('')}`;
    expect(await printed(true, env)).toBe(expected);
    expect(await run(tables)).toEqual([]);
    expect(await printed(true, env)).toBe(expected);
    await printed(false, env);
    expect(await printed(true, env)).toMatch(/nothing to do/);
  });

  it('without permission to migrate, an old store is refused with advice', async () => {
    const { location, run } = await empty();
    const refused = expect(open(location, { mayMigrate: false })).rejects;
    await refused.toThrow(
      new StoreSchemaError(
        `The store lacks the migrations ${ALL.join(', ')}. Run "kineograph migrate", or start without MIGRATE=false.`,
      ),
    );
    expect(await run(tables)).toEqual([]);
  });

  it('a store with a newer schema is refused with advice and stays unchanged', async () => {
    const { env, location, run } = await empty();
    await migrateStore(location);
    await run(NEWER);
    const before = await run('select name from kineograph_migration order by name');
    const ways = [
      () => open(location, { mayMigrate: true }),
      () => open(location, { mayMigrate: false }),
      () => printed(false, env),
      () => printed(true, env),
      () =>
        location.kind === 'sqlite'
          ? emptyDatabase().then((url) => runCopy(location.dataDir, url, new PassThrough()))
          : dataDirOfAStore().then((from) => runCopy(from, location.url, new PassThrough())),
    ];
    for (const way of ways)
      await expect(way()).rejects.toThrow(
        new StoreSchemaError(
          'The schema of the store is newer (9999-tomorrow) than this version of Kineograph supports. ' +
            'Start the newer version again, or restore the backup from before the upgrade.',
        ),
      );
    expect(await run('select name from kineograph_migration order by name')).toEqual(before);
  });
});

describe('the list of migrations', () => {
  it('the migration list of 0.1.0 is imported and kept up to date', async () => {
    for (const { empty } of PLACES) {
      const { location, run } = await empty();
      await migrateStore(location);
      await run('alter table kineograph_migration rename to kysely_migration');
      await withoutLastWords(run, 'kysely_migration');
      expect(await pendingIn(location)).toEqual(['0009-last-words']);
      await expect(open(location, { mayMigrate: false })).rejects.toThrow(
        'The store lacks the migrations 0009-last-words',
      );
      expect(await migrateStore(location)).toEqual(['0009-last-words']);
      const [ours, old] = [
        await namesIn(run, 'kineograph_migration'),
        await namesIn(run, 'kysely_migration'),
      ];
      expect([ours, old]).toEqual([ALL, ALL]);
      expect(await migrateStore(location)).toEqual([]);
      await run("insert into kysely_migration (name, timestamp) values ('9999-tomorrow', '2030-01-01')");
      await expect(open(location, { mayMigrate: true })).rejects.toThrow('schema of the store is newer');
    }
  });

  it('the migration list of another application stays unchanged', async () => {
    const url = await emptyDatabase();
    const theirs =
      "insert into kysely_migration values ('0001-tasks', '2020-01-01'), ('0002-theirs', '2020-01-02')";
    await queryDatabase(
      url,
      `create table kysely_migration (name text primary key, timestamp text); ${theirs}`,
    );
    const location = { kind: 'postgres', url, readers: 1 } as const;
    expect(await migrateStore(location)).toEqual(ALL);
    expect(await migrateStore(location)).toEqual([]);
    await open(location, { mayMigrate: false });
    const run = (statement: string): Promise<readonly object[]> => queryDatabase(url, statement);
    expect(await namesIn(run, 'kysely_migration')).toEqual(['0001-tasks', '0002-theirs']);
  });
});

it('a migration ignores the timeouts of its role', async () => {
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
  const migrated = migrateStore({ kind: 'postgres', url, readers: 1 });
  const waits = `select pg_sleep(1.1) from pg_locks join pg_database on oid = database
    where datname = '${name}' and locktype = 'advisory' and not granted`;
  while ((await queryDatabase(admin, waits)).length === 0) await setImmediate();
  await other.end();
  expect(await migrated).toEqual(ALL);
});

it('concurrent migrations of a database run once', async () => {
  const url = await emptyDatabase();
  const runs = await Promise.all(
    Array.from({ length: 4 }, () => migrateStore({ kind: 'postgres', url, readers: 1 })),
  );
  expect(runs.flat().sort()).toEqual(ALL);
});

async function dataDirOfAStore(): Promise<string> {
  const dataDir = await quickDir();
  await migrateStore({ kind: 'sqlite', dataDir });
  return dataDir;
}
