import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import { migrate, pendingMigrations } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';
import type { StoreLocation } from './open-connections.ts';

/** Brings a store to the form that this program works with; returns the names of the migrations that were run. */
export function migrateStore(location: StoreLocation): Promise<readonly string[]> {
  return during(location, (writer) => migrate(writer, location.kind));
}

/** What `migrateStore` would run. Changes nothing; an embedded store that is not there yet is made, empty. */
export function pendingIn(location: StoreLocation): Promise<readonly string[]> {
  return during(location, (writer) => pendingMigrations(writer, location.kind));
}

async function during(
  location: StoreLocation,
  run: (writer: Kysely<Database>) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let names: readonly string[] = [];
  const prepare = async (writer: Kysely<Database>): Promise<void> => {
    names = await run(writer);
  };
  const connections =
    location.kind === 'sqlite'
      ? await openSqlite(location.dataDir, prepare)
      : await openPostgres({ ...location, prepare, onError: () => undefined });
  await connections.close();
  return names;
}
