import BetterSqlite3 from 'better-sqlite3';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { join } from 'node:path';
import type { Connections } from './connections.ts';
import { lockDataDir } from './data-dir-lock.ts';
import type { Database } from './database.ts';

/** The name of the database in its directory. */
export const STORE_FILE = 'kineograph.db';

/** For reads, and while opening: waiting for a lock blocks the whole process. */
const BUSY_TIMEOUT_MS = 250;

/** How long another process's lock on the database is waited for: a backup, or somebody who looks at it. */
const PATIENCE = { totalMs: 250, pauseMs: 10, isOutage: isLocked };

/**
 * Opens the embedded store in a directory, which belongs to this process until it is closed. What it acknowledged is on
 * disk. `prepare` brings it to the form that is needed before anything else is done. Rejects with an error
 * that says what to do when the directory cannot be used.
 */
export async function openSqlite(
  dataDir: string,
  prepare: (writer: Kysely<Database>) => Promise<unknown>,
): Promise<Connections> {
  const unlock = lockDataDir(dataDir);
  const databases: BetterSqlite3.Database[] = [];

  function connect(): Kysely<Database> {
    const database = openDatabase(join(dataDir, STORE_FILE));
    databases.push(database);
    return new Kysely<Database>({ dialect: new SqliteDialect({ database: withPreparedOnce(database) }) });
  }

  function closeAll(): void {
    // Kysely closes only what it has used.
    for (const database of databases) database.close();
    unlock();
  }

  try {
    const writer = connect();
    await prepare(writer);
    // From now on it is the writer queue that waits for locks.
    for (const database of databases) database.pragma('busy_timeout = 0');
    const reader = connect();
    return {
      reader,
      writer,
      isExclusive: true,
      lock: () => Promise.resolve(),
      notify: () => Promise.resolve(),
      listen: () => undefined,
      patience: PATIENCE,
      async close() {
        await reader.destroy();
        await writer.destroy();
        closeAll();
      },
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}

function openDatabase(path: string): BetterSqlite3.Database {
  const database = new BetterSqlite3(path, { timeout: BUSY_TIMEOUT_MS });
  database.pragma('journal_mode = WAL');
  // FULL: a commit is on disk before it is acknowledged; WAL's own default loses the last ones when power fails.
  database.pragma('synchronous = FULL');
  return database;
}

/** Another process is writing, or has made what the failed transaction had read out of date. */
function isLocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
};

/** Kysely prepares each query anew; the text of ours is always one of a few dozen. */
function withPreparedOnce(database: BetterSqlite3.Database): SqliteDatabase {
  const prepared = new Map<string, BetterSqlite3.Statement>();
  return {
    close: () => {
      prepared.clear();
      database.close();
    },
    prepare(sql) {
      // SQLite itself rolls back what a full or broken disk has stopped; doing it twice would hide why.
      if (sql === 'rollback' && !database.inTransaction) return NOTHING;
      const statement = prepared.get(sql) ?? database.prepare(sql);
      prepared.set(sql, statement);
      return statement;
    },
  };
}
