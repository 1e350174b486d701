import { sql, type Kysely } from 'kysely';
import type { Connections, Dialect } from './connections.ts';
import type { Database } from './schema.ts';
import { assertMigrated, migrate, MIGRATION_NAMES, pendingMigrations } from './migrate.ts';

/** The database that holds the store. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly dataDir: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** The same database without a pooler, if `url` leads through one that shares sessions. */
      readonly listenUrl?: string | null;
      readonly readers: number;
    };

interface OpenOptions {
  /** Migrates the store; otherwise it must have the schema of this version. */
  readonly mayMigrate: boolean;
  /** Receives the errors of idle connections. */
  readonly onError: (error: unknown) => void;
}

/**
 * Opens a store with the schema of this version. Rejects with StoreSchemaError if the schema differs, and with an error that
 * says what to do if the store cannot be opened.
 */
export function openConnections(
  location: StoreLocation,
  { mayMigrate, onError }: OpenOptions,
): Promise<Connections> {
  return openPrepared(
    location,
    async (writer, dialect) => {
      await (mayMigrate ? migrate : assertMigrated)(writer, dialect);
      if (dialect !== 'postgres') return;
      const { assertPrivileges } = await import('./postgres/inspect.ts');
      await assertPrivileges(writer);
      await collectStatistics(writer);
    },
    onError,
  );
}

/** Opens a store for reading, also while gateways use it. Rejects like `openConnections`. */
export async function openReader(
  location: StoreLocation,
): Promise<{ readonly db: Kysely<Database>; close(): Promise<void> }> {
  if (location.kind === 'postgres') {
    const options = { mayMigrate: false, onError: () => undefined };
    const { close, reader } = await openConnections({ ...location, readers: 1 }, options);
    return { db: reader, close };
  }
  const { readSqlite } = await import('./sqlite/open.ts');
  const { close, db } = readSqlite(location.dataDir);
  try {
    await assertMigrated(db, 'sqlite');
  } catch (error) {
    close();
    throw error;
  }
  return {
    db,
    close() {
      close();
      return Promise.resolve();
    },
  };
}

/** Opens a store after running `prepare` on it. */
async function openPrepared(
  location: StoreLocation,
  prepare: (writer: Kysely<Database>, dialect: Dialect) => Promise<unknown>,
  onError: (error: unknown) => void,
): Promise<Connections> {
  // Dynamic imports: each module loads a driver.
  if (location.kind === 'sqlite') {
    const { openSqlite } = await import('./sqlite/open.ts');
    return openSqlite(location.dataDir, (writer) => prepare(writer, 'sqlite'));
  }
  const { openPostgres } = await import('./postgres/open.ts');
  const { listenUrl = null, readers, url } = location;
  return openPostgres({ url, listenUrl, readers, onError, prepare: (writer) => prepare(writer, 'postgres') });
}

/** Migrates a store to the schema of this version and returns the names of the applied migrations. */
export function migrateStore(location: StoreLocation): Promise<readonly string[]> {
  return runOn(location, migrate);
}

/** Returns what `migrateStore` would apply. Read-only; safe while a gateway uses the store. */
export async function pendingIn(location: StoreLocation): Promise<readonly string[]> {
  if (location.kind === 'postgres') return runOn(location, pendingMigrations);
  const { inspectSqlite } = await import('./sqlite/open.ts');
  const facts = await inspectSqlite(location.dataDir);
  return facts?.pending ?? MIGRATION_NAMES;
}

async function runOn(location: StoreLocation, run: typeof migrate): Promise<readonly string[]> {
  let names: readonly string[] = [];
  const connections = await openPrepared(
    location,
    async (writer, dialect) => {
      names = await run(writer, dialect);
    },
    () => undefined,
  );
  await connections.close();
  return names;
}

/**
 * Collects PostgreSQL's statistics of tables that have none. After a restore, copy or migration the planner would scan whole
 * tables until autovacuum runs. Takes seconds at most; a role without the privilege only gets a warning.
 */
export async function collectStatistics<T>(db: Kysely<T>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select distinct wanted.name from (values
      ('tasks', to_regclass('tasks')), ('tasks', to_regclass('tasks_listed')),
      ('slots', to_regclass('slots')), ('uploads', to_regclass('uploads')),
      ('video_copies', to_regclass('video_copies'))
    ) as wanted (name, relation)
    join pg_class on pg_class.oid = wanted.relation
    join pg_namespace on pg_namespace.oid = relnamespace
    where not pg_is_in_recovery() and not exists (
      select from pg_stats where schemaname = nspname and tablename = relname
      -- Otherwise the planner joins the whole view, which takes a hundred times longer.
      offset 0
    )`.execute(db);
  for (const { name } of rows) await sql`analyze ${sql.table(name)}`.execute(db);
}
