import { Kysely } from 'kysely';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Connections } from '../connections.ts';
import { assertRegularFiles, isDataDirLocked, lockDataDir, privateFile, unusable } from './data-dir.ts';
import { type Database, StoreSchemaError } from '../schema.ts';
import { testWrite } from '../ping.ts';
import { readStoreFacts, type StoreFacts } from '../stats.ts';
import { SynchronousSqliteDialect, DatabaseSync, SQLITE, sqliteCode, type SqliteDatabase } from './driver.ts';

/** The file name of the database in its directory. */
export const STORE_FILE = 'kineograph.db';

/** Apply while opening and inspecting: waiting for a lock blocks the process. */
const BUSY_TIMEOUT_MS = 250;
const INSPECT_TIMEOUT_MS = 1000;
const READ_TIMEOUT_MS = 5000;

/** SQLite's default of 2 MiB holds about a thousand tasks. */
const CACHE_KIB = 32 * 1024;

/** Waits for the lock of another program, such as a backup or a SQLite shell. */
const RETRY_POLICY = { totalMs: 250, pauseMs: 10, isOutage: isLocked, isDeadlock: () => false };

/**
 * Opens the SQLite store in a directory and locks it until the store is closed. Acknowledged writes are on disk. `prepare` runs
 * first. Rejects with an error that says what to do if the directory cannot be used.
 */
export async function openSqlite(
  dataDir: string,
  prepare: (writer: Kysely<Database>) => Promise<unknown>,
): Promise<Connections> {
  const unlock = lockDataDir(dataDir);
  let database: SqliteDatabase | null = null;
  let files: ReturnType<typeof watchFiles> | null = null;

  function closeAll(): void {
    // Closed here, because Kysely closes only a database that it has used.
    if (database?.isOpen === true) {
      if (files?.hasForeignLog() !== true) mergeLog(database);
      database.close();
    }
    unlock();
  }

  try {
    const opened = (database = openDatabase(join(dataDir, STORE_FILE)));
    const db = new Kysely<Database>({ dialect: new SynchronousSqliteDialect(opened) });
    await prepare(db);
    await testWrite(db);
    const { assertInPlace } = (files = watchFiles(join(dataDir, STORE_FILE)));
    // From here on the writer queue retries; SQLite must not block the process.
    opened.exec('pragma busy_timeout = 0');
    return {
      // One connection for both: its page cache already holds what it wrote.
      reader: db,
      writer: db,
      isExclusive: true,
      lock() {
        assertInPlace();
        return Promise.resolve();
      },
      notify: () => Promise.resolve(),
      listen: () => undefined,
      retryPolicy: RETRY_POLICY,
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
  // SQLite creates its other files with the mode of this one.
  privateFile(path);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('pragma journal_mode = WAL');
    // FULL syncs every commit before it is acknowledged. NORMAL can lose the last commits in a power failure.
    database.exec('pragma synchronous = FULL');
    database.exec(`pragma cache_size = ${-CACHE_KIB}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Remembers the files of an open database. SQLite would go on writing to deleted ones, and the writes would be lost. */
function watchFiles(database: string) {
  const files = ['', '-wal', '-shm'].map((suffix) => database + suffix);
  const ids = new Map(files.map((path) => [path, fileId(path)]));
  return {
    /** Throws an error that says what to do unless every path still leads to the same file. */
    assertInPlace(): void {
      const lost = files.find((path) => fileId(path) !== ids.get(path));
      if (lost !== undefined)
        throw new Error(
          `${lost} was deleted, moved or replaced, so nothing can be stored. Stop the gateway, put the file back or keep the new one, and start again.`,
        );
    },
    /** Another database has its log here, which closing this one would delete. */
    hasForeignLog(): boolean {
      const log = `${database}-wal`;
      return ![null, ids.get(log)].includes(fileId(log));
    },
  };
}

/** Identifies the file at a path; null if there is none. */
function fileId(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.dev}:${found.ino}` : null;
}

/** Before a close, so that it leaves a single file. */
function mergeLog(database: SqliteDatabase): void {
  try {
    // SQLite checkpoints at close only if all statements are finalized, which this package does not do:
    // https://github.com/photostructure/node-sqlite/blob/v1.2.1/src/sqlite_impl.cpp#L1085
    database.exec('pragma journal_mode = delete');
  } catch {
    // Another program has it open, or the disk is full. The next start recovers the log.
  }
}

/** Another process holds the write lock, or has changed what the failed transaction had read. */
function isLocked(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.BUSY;
}

/** Reads the facts of the store in a directory; null if there is none. Read-only; safe while a gateway uses it. */
export async function inspectSqlite(dataDir: string): Promise<StoreFacts | null> {
  const path = join(dataDir, STORE_FILE);
  if (!existsSync(path)) return null;
  const { close, db } = openReader(dataDir, INSPECT_TIMEOUT_MS);
  try {
    return await readStoreFacts(db, 'sqlite');
  } finally {
    close();
  }
}

/** An open store that is only read. */
export interface SqliteReader {
  readonly db: Kysely<Database>;
  close(): void;
}

/**
 * Opens the store in a directory for reading, while a gateway may be using it. If none does, none can start until the reader is
 * closed. Throws an error that says what to do if there is no store.
 */
export function readSqlite(dataDir: string): SqliteReader {
  if (!existsSync(join(dataDir, STORE_FILE)))
    throw new Error(`There is no store in DATA_DIR ${dataDir}. Set DATA_DIR to that of the gateway.`);
  // A gateway that starts would write to a file that is read as one that does not change.
  const unlock = isDataDirLocked(dataDir) ? () => undefined : lockDataDir(dataDir);
  try {
    const { close, db } = openReader(dataDir, READ_TIMEOUT_MS);
    return {
      db,
      close() {
        close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw unusable(dataDir, STORE_FILE, error);
  }
}

function openReader(dataDir: string, timeoutMs: number): SqliteReader {
  assertRegularFiles(dataDir);
  const database = openReadOnly(join(dataDir, STORE_FILE), timeoutMs);
  return {
    db: new Kysely<Database>({ dialect: new SynchronousSqliteDialect(database) }),
    close() {
      database.close();
    },
  };
}

function openReadOnly(path: string, timeout: number): SqliteDatabase {
  const url = pathToFileURL(path);
  // SQLite would create WAL files if no process has it open. Files of another user would lock the gateway out.
  if (!existsSync(`${path}-wal`)) url.search = 'immutable=1';
  return new DatabaseSync(url, { readOnly: true, timeout });
}
