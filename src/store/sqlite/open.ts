import { Kysely } from 'kysely';
import { join } from 'node:path';
import type { Connections } from '../connections.ts';
import { lockDataDir, privateFile, unusable } from './data-dir.ts';
import { type Database, StoreSchemaError } from '../schema.ts';
import { proveWrite } from '../prove-write.ts';
import { AtOnceDialect, DatabaseSync, SQLITE, sqliteCode, type SqliteDatabase } from './driver.ts';

/** The name of the database in its directory. */
export const STORE_FILE = 'kineograph.db';

/** While opening: waiting for a lock blocks the whole process. */
const BUSY_TIMEOUT_MS = 250;

/** Of the database in memory, at most; SQLite's own 2 MiB hold some thousand tasks, and what they lack is read anew each time. */
const CACHE_KIB = 32 * 1024;

/** How long another process's lock on the database is waited for: a backup, or somebody who looks at it. */
const PATIENCE = { totalMs: 250, pauseMs: 10, isOutage: isLocked };

/**
 * Opens the embedded store in a directory, which belongs to this process until it is closed. What it acknowledged is on
 * disk. `prepare` migrates it before anything else is done. Rejects with an error
 * that says what to do when the directory cannot be used.
 */
export async function openSqlite(
  dataDir: string,
  prepare: (writer: Kysely<Database>) => Promise<unknown>,
): Promise<Connections> {
  const unlock = lockDataDir(dataDir);
  let database: SqliteDatabase | null = null;

  function closeAll(): void {
    // Kysely closes only what it has used.
    if (database?.isOpen === true) closeDatabase(database);
    unlock();
  }

  try {
    const opened = (database = openDatabase(join(dataDir, STORE_FILE)));
    const db = new Kysely<Database>({ dialect: new AtOnceDialect(opened) });
    await prepare(db);
    await proveWrite(db);
    // From now on it is the writer queue that waits for locks.
    opened.exec('pragma busy_timeout = 0');
    return {
      // One connection for both: what it writes it has in its memory, while any other one has to read it from the disk.
      reader: db,
      writer: db,
      isExclusive: true,
      lock: () => Promise.resolve(),
      notify: () => Promise.resolve(),
      listen: () => undefined,
      patience: PATIENCE,
      close() {
        closeAll();
        return Promise.resolve();
      },
    };
  } catch (error) {
    closeAll();
    throw error instanceof StoreSchemaError ? error : unusable(dataDir, STORE_FILE, error);
  }
}

function openDatabase(path: string): SqliteDatabase {
  // SQLite gives its other files the mode of this one.
  privateFile(path);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('pragma journal_mode = WAL');
    // FULL: a commit is on disk before it is acknowledged. NORMAL loses the last commits when power fails.
    database.exec('pragma synchronous = FULL');
    database.exec(`pragma cache_size = ${-CACHE_KIB}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Leaves one file that is whole. */
function closeDatabase(database: SqliteDatabase): void {
  try {
    // As SQLite does by itself with the last connection, unless that has statements left, which this package does not end:
    // https://github.com/photostructure/node-sqlite/blob/v1.2.1/src/sqlite_impl.cpp#L1085
    database.exec('pragma journal_mode = delete');
  } catch {
    // Another program looks at it, or the disk is full. The next start reads the log.
  }
  database.close();
}

/** Another process is writing, or has made what the failed transaction had read out of date. */
function isLocked(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.BUSY;
}
