import { Migrator, type Kysely, type MigrationInfo } from 'kysely';
import type { Dialect } from './connections.ts';
import { tasksMigration } from './migrations/0001-tasks.ts';
import { creationsMigration } from './migrations/0002-creations.ts';
import { attemptsMigration } from './migrations/0003-attempts.ts';
import { courseMigration } from './migrations/0004-course.ts';
import { uploadsMigration } from './migrations/0005-uploads.ts';
import { failedMigration } from './migrations/0006-failed.ts';
import { StoreFormError } from './store-form-error.ts';

/** Each runs once on every store, in the order of its name; one that was released is never edited. */
const migrations = (dialect: Dialect) => ({
  '0001-tasks': tasksMigration(dialect),
  '0002-creations': creationsMigration,
  '0003-attempts': attemptsMigration,
  '0004-course': courseMigration,
  '0005-uploads': uploadsMigration,
  '0006-failed': failedMigration,
});

/**
 * Brings a store to the form that this program works with; several processes may do so at once. Returns the names of the
 * migrations that were run. Throws StoreFormError when a newer program has been here, changing nothing.
 */
export async function migrate<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const pending = await pendingMigrations(db, dialect);
  if (pending.length === 0) return [];
  const { error, results = [] } = await createMigrator(db, dialect).migrateToLatest();
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : 'for an unknown reason';
    throw new Error(`The store could not be migrated (${reason}); it is as it was.`, { cause: error });
  }
  return results.map(({ migrationName }) => migrationName);
}

/** The names of the migrations that `migrate` would run. Throws StoreFormError when a newer program has been here. */
export async function pendingMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<readonly string[]> {
  const newer = await unknownMigrations(db, dialect);
  if (newer.length > 0)
    throw new StoreFormError(
      `The store was brought to a newer form (${newer.join(', ')}) than this Kineograph knows. ` +
        'Start the newer version again, or restore the backup that was made before it.',
    );
  const all: readonly MigrationInfo[] = await createMigrator(db, dialect).getMigrations();
  return all.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name);
}

/** The names of all migrations, in order. */
export function migrationNames(dialect: Dialect): readonly string[] {
  return Object.keys(migrations(dialect));
}

/** For those who may not change the store: throws StoreFormError unless it has the form that is needed. */
export async function assertMigrated<T>(db: Kysely<T>, dialect: Dialect): Promise<void> {
  const pending = await pendingMigrations(db, dialect);
  if (pending.length === 0) return;
  throw new StoreFormError(
    `The store lacks ${pending.join(', ')}. Run "kineograph migrate", or start without MIGRATE=false.`,
  );
}

async function unknownMigrations<T>(db: Kysely<T>, dialect: Dialect): Promise<string[]> {
  const known = migrations(dialect);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return [];
  const done = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .execute();
  return done.map(({ name }) => name).filter((name) => !(name in known));
}

function createMigrator<T>(db: Kysely<T>, dialect: Dialect): Migrator {
  return new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations(dialect)) } });
}
