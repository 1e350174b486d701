import type { Kysely } from 'kysely';
import type { Dialect } from './connections.ts';
import type { Database } from './database.ts';
import { pendingMigrations } from './migrate.ts';

/** What can be learnt of a store without changing anything in it. */
export interface StoreFacts {
  /** The migrations that it lacks. */
  readonly pending: readonly string[];
  /** Of which callback addresses are made; null when no gateway has run on it yet. */
  readonly callbackSecret: Buffer | null;
}

/** Reads them. Throws StoreSchemaError when a newer program has been here. */
export async function readStoreFacts(db: Kysely<Database>, dialect: Dialect): Promise<StoreFacts> {
  const pending = await pendingMigrations(db, dialect);
  const hasTables = !pending.includes('0001-tasks');
  return { pending, callbackSecret: hasTables ? await callbackSecret(db) : null };
}

async function callbackSecret(db: Kysely<Database>): Promise<Buffer | null> {
  const row = await db
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', 'callback')
    .executeTakeFirst();
  return row === undefined ? null : Buffer.from(row.value, 'base64');
}
