import { Migrator, type Kysely } from 'kysely';
import { tasksMigration } from './migrations/0001-tasks.ts';
import { creationsMigration } from './migrations/0002-creations.ts';

/** Each runs once on every store, in the order of its name; one that was released is never edited. */
const MIGRATIONS = {
  '0001-tasks': tasksMigration,
  '0002-creations': creationsMigration,
};

/** Brings a store to the form that this program works with; rejects when a migration fails or is unknown here. */
export async function migrate<T>(db: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
  const { error } = await migrator.migrateToLatest();
  if (error instanceof Error) throw error;
  if (error !== undefined) throw new Error('the store could not be migrated', { cause: error });
}
