import { Migrator, sql, type Kysely } from 'kysely';
import type { Dialect } from './connections.ts';
import { migrationsFor } from './migrations.ts';
import { StoreSchemaError } from './schema.ts';

/** The table of applied migrations. */
const TABLE = 'kineograph_migration';
/** Kysely's default table, which 0.1.0 used. In a shared database it may belong to another application. */
const OLD_TABLE = 'kysely_migration';
/** The old table is ours if it contains these. */
const OUR_FIRST = ['0001-tasks', '0002-creations'];

export const MIGRATION_NAMES: readonly string[] = Object.keys(migrationsFor('sqlite'));

/**
 * Migrates a store to the schema of this version and returns the names of the applied migrations. Several processes may call
 * it at once. Throws StoreSchemaError and changes nothing if the schema is newer.
 */
export async function migrate<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const pending = await pendingMigrations(db, dialect);
  const old = await readOldList(db, dialect);
  if (old.length > 0) {
    const ours = await readList(db, dialect, TABLE);
    if (ours === null) await createList(db, dialect);
    await addMissing(db, TABLE, old, ours ?? []);
  }
  const done = pending.length === 0 ? [] : await runMigrations(db, dialect);
  // So that 0.1.0 rejects a newer schema.
  if (old.length > 0) await addMissing(db, OLD_TABLE, (await readList(db, dialect, TABLE)) ?? [], old);
  return done;
}

async function runMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(migrationsFor(dialect)) },
    migrationTableName: TABLE,
    migrationLockTableName: `${TABLE}_lock`,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : 'for an unknown reason';
    throw new Error(`The store could not be migrated (${reason}); it is unchanged.`, { cause: error });
  }
  return results.map(({ migrationName }) => migrationName);
}

/** The names of the migrations that `migrate` would apply. Throws StoreSchemaError if the schema is newer. */
export async function pendingMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const done = [...((await readList(db, dialect, TABLE)) ?? []), ...(await readOldList(db, dialect))];
  const names = new Set(done.map(({ name }) => name));
  const newer = [...names].filter((name) => !MIGRATION_NAMES.includes(name));
  if (newer.length > 0)
    throw new StoreSchemaError(
      `The schema of the store is newer (${newer.join(', ')}) than this version of Kineograph supports. ` +
        'Start the newer version again, or restore the backup from before the upgrade.',
    );
  return MIGRATION_NAMES.filter((name) => !names.has(name));
}

/** Throws StoreSchemaError unless the store has the schema of this version. */
export async function assertMigrated<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  const pending = await pendingMigrations(db, dialect);
  if (pending.length === 0) return;
  throw new StoreSchemaError(
    `The store lacks the migrations ${pending.join(', ')}. Run "kineograph migrate", or start without MIGRATE=false.`,
  );
}

interface Entry {
  readonly name: string;
  readonly timestamp: string;
}

async function addMissing<T>(
  db: Kysely<T>,
  table: string,
  entries: readonly Entry[],
  present: readonly Entry[],
): Promise<void> {
  const names = new Set(present.map(({ name }) => name));
  for (const { name, timestamp } of entries.filter((entry) => !names.has(entry.name)))
    await sql`insert into ${sql.table(table)} (name, timestamp) values (${name}, ${timestamp})
      on conflict (name) do nothing`.execute(db);
}

async function readOldList<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly Entry[]> {
  const list = (await readList(db, dialect, OLD_TABLE)) ?? [];
  return OUR_FIRST.every((first) => list.some(({ name }) => name === first)) ? list : [];
}

/** Returns null if the search path has no such table that we may read. */
async function readList<T>(db: Kysely<T>, dialect: Dialect, table: string): Promise<readonly Entry[] | null> {
  const { rows } = await (
    dialect === 'sqlite'
      ? sql`select 1 from sqlite_master where type = 'table' and name = ${table}`
      : sql`select 1 where has_table_privilege(to_regclass(${table}), 'select')`
  ).execute(db);
  if (rows.length === 0) return null;
  const list = await sql<Entry>`select name, timestamp from ${sql.table(table)} order by name`.execute(db);
  return list.rows;
}

/** Creates the table as Kysely's Migrator does. */
async function createList<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  try {
    await sql`create table if not exists ${sql.table(TABLE)}
      (name varchar(255) not null primary key, timestamp varchar(255) not null)`.execute(db);
  } catch (error) {
    // If two processes create it at once, PostgreSQL rejects one of them despite IF NOT EXISTS.
    if ((await readList(db, dialect, TABLE)) === null) throw error;
  }
}
