import { migrate, migrationNames, pendingMigrations } from './migrate.ts';
import { openPrepared, type StoreLocation } from './open-connections.ts';

/** Migrates a store to the schema of this version; returns the names of the migrations that were run. */
export function migrateStore(location: StoreLocation): Promise<readonly string[]> {
  return during(location, migrate);
}

/** What `migrateStore` would run. Changes nothing, and may be asked while a gateway runs on the store. */
export async function pendingIn(location: StoreLocation): Promise<readonly string[]> {
  if (location.kind === 'postgres') return during(location, pendingMigrations);
  // Loaded when it is needed: it brings a driver.
  const { inspectSqlite } = await import('./inspect-sqlite.ts');
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
