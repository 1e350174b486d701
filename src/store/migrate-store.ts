import { migrate, pendingMigrations } from './migrate.ts';
import { openPrepared, type StoreLocation } from './open-connections.ts';

/** Brings a store to the form that this program works with; returns the names of the migrations that were run. */
export function migrateStore(location: StoreLocation): Promise<readonly string[]> {
  return during(location, migrate);
}

/** What `migrateStore` would run. Changes nothing; an embedded store that is not there yet is made, empty. */
export function pendingIn(location: StoreLocation): Promise<readonly string[]> {
  return during(location, pendingMigrations);
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
