import { Kysely } from 'kysely';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Database } from '../schema.ts';
import { assertRegularFiles } from './data-dir.ts';
import { STORE_FILE } from './open.ts';
import { SynchronousSqliteDialect, DatabaseSync, type SqliteDatabase } from './driver.ts';
import { readStoreFacts, type StoreFacts } from '../stats.ts';

/** Waiting for a lock blocks the process. */
const BUSY_TIMEOUT_MS = 1000;

/** Reads the facts of the store in a directory; null if there is none. Read-only; safe while a gateway uses it. */
export async function inspectSqlite(dataDir: string): Promise<StoreFacts | null> {
  const path = join(dataDir, STORE_FILE);
  if (!existsSync(path)) return null;
  assertRegularFiles(dataDir);
  const database = openReadOnly(path);
  const db = new Kysely<Database>({ dialect: new SynchronousSqliteDialect(database) });
  try {
    return await readStoreFacts(db, 'sqlite');
  } finally {
    database.close();
  }
}

function openReadOnly(path: string): SqliteDatabase {
  const url = pathToFileURL(path);
  // SQLite would create WAL files if no process has it open. Files of another user would lock the gateway out.
  if (!existsSync(`${path}-wal`)) url.search = 'immutable=1';
  return new DatabaseSync(url, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}
