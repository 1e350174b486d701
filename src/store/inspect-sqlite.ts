import { Kysely, SqliteDialect } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BetterSqlite3 } from './better-sqlite3.ts';
import type { Database } from './database.ts';
import { STORE_FILE } from './sqlite.ts';
import { readStoreFacts, type StoreFacts } from './store-facts.ts';

/** Waiting for a lock blocks the whole process. */
const BUSY_TIMEOUT_MS = 1000;

/** Looks into the store in a directory, also while a gateway runs on it, and changes nothing; null when there is none. */
export async function inspectSqlite(dataDir: string): Promise<StoreFacts | null> {
  const path = join(dataDir, STORE_FILE);
  if (!existsSync(path)) return null;
  // Where nobody has it open SQLite makes two files beside it, which only a connection that could write takes away again:
  // left behind by another user, they would keep the gateway out.
  const readonly = existsSync(`${path}-wal`);
  const database = new BetterSqlite3(path, { readonly, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database }) });
  try {
    return await readStoreFacts(db, 'sqlite');
  } finally {
    await db.destroy();
    database.close();
  }
}
