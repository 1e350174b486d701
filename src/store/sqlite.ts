import type { Database as SqliteFile, Statement } from 'better-sqlite3';
import {
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  type QueryResult,
  type SqliteDatabase,
  type SqliteStatement,
} from 'kysely';
import { join } from 'node:path';
import { BetterSqlite3 } from './better-sqlite3.ts';
import type { AnswersAtOnce } from './at-once.ts';
import type { Connections } from './connections.ts';
import { lockDataDir } from './data-dir-lock.ts';
import type { Database } from './database.ts';

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
 * disk. `prepare` brings it to the form that is needed before anything else is done. Rejects with an error
 * that says what to do when the directory cannot be used.
 */
export async function openSqlite(
  dataDir: string,
  prepare: (writer: Kysely<Database>) => Promise<unknown>,
): Promise<Connections> {
  const unlock = lockDataDir(dataDir);
  let database: SqliteFile | null = null;

  function closeAll(): void {
    // Kysely closes only what it has used.
    database?.close();
    unlock();
  }

  try {
    database = openDatabase(join(dataDir, STORE_FILE));
    const db = new Kysely<Database>({ dialect: new AtOnceDialect(database) });
    await prepare(db);
    // From now on it is the writer queue that waits for locks.
    database.pragma('busy_timeout = 0');
    return {
      // One connection for both: what it writes it has in its memory, while any other one has to read it from the disk.
      reader: db,
      writer: db,
      isExclusive: true,
      lock: () => Promise.resolve(),
      notify: () => Promise.resolve(),
      listen: () => undefined,
      patience: PATIENCE,
      async close() {
        await db.destroy();
        closeAll();
      },
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}

function openDatabase(path: string): SqliteFile {
  const database = new BetterSqlite3(path, { timeout: BUSY_TIMEOUT_MS });
  database.pragma('journal_mode = WAL');
  // FULL: a commit is on disk before it is acknowledged; WAL's own default loses the last ones when power fails.
  database.pragma('synchronous = FULL');
  database.pragma(`cache_size = ${-CACHE_KIB}`);
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

/** Kysely's dialect, with prepared statements that are kept and a way past the queue for its one connection. */
class AtOnceDialect extends SqliteDialect {
  readonly #database: KeptStatements;

  constructor(database: SqliteFile) {
    const kept = new KeptStatements(database);
    super({ database: kept });
    this.#database = kept;
  }

  override createAdapter(): SqliteAdapter {
    return new AtOnceAdapter(this.#database);
  }
}

class AtOnceAdapter extends SqliteAdapter implements AnswersAtOnce {
  readonly #database: KeptStatements;

  constructor(database: KeptStatements) {
    super();
    this.#database = database;
  }

  answerAtOnce(
    sql: string,
    parameters: readonly unknown[],
    isInTransaction: boolean,
  ): QueryResult<unknown> | null {
    if (this.#database.inTransaction && !isInTransaction) return null;
    const statement = this.#database.prepare(sql);
    if (statement.reader) return { rows: statement.all(parameters) };
    const { changes } = statement.run(parameters);
    return { rows: [], numAffectedRows: BigInt(changes) };
  }
}

/** Kysely prepares each query anew; the text of ours is always one of a few dozen. */
class KeptStatements implements SqliteDatabase {
  readonly #database: SqliteFile;
  readonly #kept = new Map<string, Statement>();

  constructor(database: SqliteFile) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  prepare(sql: string): SqliteStatement {
    // SQLite itself rolls back what a full or broken disk has stopped; doing it twice would hide why.
    if (sql === 'rollback' && !this.#database.inTransaction) return NOTHING;
    const statement = this.#kept.get(sql) ?? this.#database.prepare(sql);
    this.#kept.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#kept.clear();
    this.#database.close();
  }
}
