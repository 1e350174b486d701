import type { Kysely } from 'kysely';
import type { Connections, Dialect } from './connections.ts';
import type { Database } from './schema.ts';
import { assertMigrated, migrate, migrationNames, pendingMigrations } from './migrate.ts';
import { collectStatistics } from './postgres/statistics.ts';

/** Where tasks are kept. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly dataDir: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** The same database without a pooler, where `url` leads through one that shares sessions. */
      readonly listenUrl?: string | null;
      readonly readers: number;
    };

interface OpenOptions {
  /** Whether the store may be migrated; otherwise it must have the schema of this version. */
  readonly mayMigrate: boolean;
  /** Told of connections that break while nobody uses them. */
  readonly onError: (error: unknown) => void;
}

/**
 * Opens a store with the schema of this version. Rejects with StoreSchemaError when it has another one, and with
 * an error that says what to do when it cannot be opened.
 */
export function openConnections(
  location: StoreLocation,
  { mayMigrate, onError }: OpenOptions,
): Promise<Connections> {
  const prepare = mayMigrate ? migrate : assertMigrated;
  return openPrepared(
    location,
    async (writer, dialect) => {
      await prepare(writer, dialect);
      if (dialect === 'postgres') await collectStatistics(writer);
    },
    onError,
  );
}

/** Opens a store once `prepare` has been through with it. */
async function openPrepared(
  location: StoreLocation,
  prepare: (writer: Kysely<Database>, dialect: Dialect) => Promise<unknown>,
  onError: (error: unknown) => void,
): Promise<Connections> {
  // Loaded when they are needed: each brings a driver.
  if (location.kind === 'sqlite') {
    const { openSqlite } = await import('./sqlite/open.ts');
    return openSqlite(location.dataDir, (writer) => prepare(writer, 'sqlite'));
  }
  const { openPostgres } = await import('./postgres/open.ts');
  const { listenUrl = null, readers, url } = location;
  return openPostgres({ url, listenUrl, readers, onError, prepare: (writer) => prepare(writer, 'postgres') });
}

/** Migrates a store to the schema of this version; returns the names of the migrations that were run. */
export function migrateStore(location: StoreLocation): Promise<readonly string[]> {
  return during(location, migrate);
}

/** What `migrateStore` would run. Changes nothing, and may be asked while a gateway runs on the store. */
export async function pendingIn(location: StoreLocation): Promise<readonly string[]> {
  if (location.kind === 'postgres') return during(location, pendingMigrations);
  // Loaded when it is needed: it brings a driver.
  const { inspectSqlite } = await import('./sqlite/inspect.ts');
  const facts = await inspectSqlite(location.dataDir);
  return facts?.pending ?? migrationNames('sqlite');
}

async function during(location: StoreLocation, run: typeof migrate): Promise<readonly string[]> {
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
