import { Kysely } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Database } from '../schema.ts';
import { STORE_FILE } from './open.ts';
import { AtOnceDialect, DatabaseSync, type SqliteDatabase } from './driver.ts';
import { readStoreFacts, type StoreFacts } from '../stats.ts';

/** Waiting for a lock blocks the whole process. */
const BUSY_TIMEOUT_MS = 1000;

/** Looks into the store in a directory, also while a gateway runs on it, and changes nothing; null when there is none. */
export async function inspectSqlite(dataDir: string): Promise<StoreFacts | null> {
  const path = join(dataDir, STORE_FILE);
  if (!existsSync(path)) return null;
  const database = openBeside(path);
  const db = new Kysely<Database>({ dialect: new AtOnceDialect(database) });
  try {
    return await readStoreFacts(db, 'sqlite');
  } finally {
    database.close();
  }
}

function openBeside(path: string): SqliteDatabase {
  const url = pathToFileURL(path);
  // Where nobody has it open SQLite would make two files beside it. Left behind by another user, they keep the gateway out.
  if (!existsSync(`${path}-wal`)) url.search = 'immutable=1';
  return new DatabaseSync(url, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}
