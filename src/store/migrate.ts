import { Migrator, sql, type Kysely } from 'kysely';
import type { Dialect } from './connections.ts';
import { tasksMigration } from './migrations/0001-tasks.ts';
import { creationsMigration } from './migrations/0002-creations.ts';
import { attemptsMigration } from './migrations/0003-attempts.ts';
import { courseMigration } from './migrations/0004-course.ts';
import { uploadsMigration } from './migrations/0005-uploads.ts';
import { failedMigration } from './migrations/0006-failed.ts';
import { boundedReadsMigration } from './migrations/0007-bounded-reads.ts';
import { providerIdsMigration } from './migrations/0008-provider-ids.ts';
import { lastWordsMigration } from './migrations/0009-last-words.ts';
import { StoreSchemaError } from './schema.ts';

/** Each migration runs once on a store, in order of name. A released migration is never edited. */
const migrations = (dialect: Dialect) => ({
  '0001-tasks': tasksMigration(dialect),
  '0002-creations': creationsMigration,
  '0003-attempts': attemptsMigration,
  '0004-course': courseMigration,
  '0005-uploads': uploadsMigration,
  '0006-failed': failedMigration,
  '0007-bounded-reads': boundedReadsMigration,
  '0008-provider-ids': providerIdsMigration,
  '0009-last-words': lastWordsMigration,
});

/** The table of applied migrations. */
const TABLE = 'kineograph_migration';
/** Kysely's default table, which 0.1.0 used. In a shared database it may belong to another application. */
const OLD_TABLE = 'kysely_migration';
/** The old table is ours if it contains these. */
const OUR_FIRST = ['0001-tasks', '0002-creations'];

/**
 * Migrates a store to the schema of this version and returns the names of the applied migrations. Several processes may call
 * it at once. Throws StoreSchemaError and changes nothing if the schema is newer.
 */
export async function migrate<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const pending = await pendingMigrations(db, dialect);
  await importOldList(db, dialect);
  const done = pending.length === 0 ? [] : await runMigrations(db, dialect);
  await updateOldList(db, dialect);
  return done;
}

async function runMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const provider = { getMigrations: () => Promise.resolve(migrations(dialect)) };
  const migrationLockTableName = `${TABLE}_lock`;
  const migrator = new Migrator({ db, provider, migrationTableName: TABLE, migrationLockTableName });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : 'for an unknown reason';
    throw new Error(`The store could not be migrated (${reason}); it is unchanged.`, { cause: error });
  }
  return results.map(({ migrationName }) => migrationName);
}

/** The names of the migrations that `migrate` would apply. Throws StoreSchemaError if the schema is newer. */
export async function pendingMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const known = Object.keys(migrations(dialect));
  const done = [...((await readList(db, dialect, TABLE)) ?? []), ...(await readOldList(db, dialect))];
  const names = new Set(done.map(({ name }) => name));
  const newer = [...names].filter((name) => !known.includes(name));
  if (newer.length > 0)
    throw new StoreSchemaError(
      `The schema of the store is newer (${newer.join(', ')}) than this version of Kineograph supports. ` +
        'Start the newer version again, or restore the backup from before the upgrade.',
    );
  return known.filter((name) => !names.has(name));
}

export function migrationNames(dialect: Dialect): readonly string[] {
  return Object.keys(migrations(dialect));
}

/** Throws StoreSchemaError unless the store has the schema of this version. */
export async function assertMigrated<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  const pending = await pendingMigrations(db, dialect);
  if (pending.length === 0) return;
  throw new StoreSchemaError(
    `The store lacks the migrations ${pending.join(', ')}. Run "kineograph migrate", or start without MIGRATE=false.`,
  );
}

/** Copies the entries of 0.1.0 into our own table. */
async function importOldList<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  const old = await readOldList(db, dialect);
  if (old.length === 0) return;
  const ours = await readList(db, dialect, TABLE);
  if (ours === null) await createList(db, dialect);
  await addTo(db, TABLE, missing(old, ours ?? []));
}

/** Updates the table of 0.1.0 if it exists, so that 0.1.0 rejects a newer schema. */
async function updateOldList<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  const old = await readOldList(db, dialect);
  if (old.length === 0) return;
  await addTo(db, OLD_TABLE, missing((await readList(db, dialect, TABLE)) ?? [], old));
}

interface Entry {
  readonly name: string;
  readonly timestamp: string;
}

function missing(from: readonly Entry[], present: readonly Entry[]): readonly Entry[] {
  const names = new Set(present.map(({ name }) => name));
  return from.filter(({ name }) => !names.has(name));
}

async function addTo<T>(db: Kysely<T>, table: string, entries: readonly Entry[]): Promise<void> {
  for (const { name, timestamp } of entries)
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
    await db.schema
      .createTable(TABLE)
      .ifNotExists()
      .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
      .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
      .execute();
  } catch (error) {
    // If two processes create it at once, PostgreSQL rejects one of them despite IF NOT EXISTS.
    if ((await readList(db, dialect, TABLE)) === null) throw error;
  }
}
