import type * as Driver from '@photostructure/sqlite';
import {
  SqliteAdapter,
  SqliteDialect,
  type QueryResult,
  type SqliteDatabase as KyselyDatabase,
  type SqliteStatement as KyselyStatement,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import type { SynchronousAdapter } from '../statements.ts';

export type SqliteDatabase = Driver.DatabaseSyncInstance;
type SqliteStatement = Driver.StatementSyncInstance;

/** The first version of Node.js whose own `node:sqlite` prints no warning (nodejs/node#61262). */
const BUILT_IN = { major: 24, minor: 15 };

/** Primary result codes of SQLite: https://sqlite.org/rescode.html. */
export const SQLITE = { BUSY: 5, CORRUPT: 11, FULL: 13, NOTADB: 26 } as const;

/** `node:sqlite`, or a package with the same API on older versions of Node.js. Loading fails with an error that says what to install. */
export const { DatabaseSync } = await load();

/** The SQLite result code of an error or its cause; null for other errors. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  // The low byte is the primary code.
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  return sqliteCode(error.cause);
}

async function load(): Promise<typeof Driver> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isBuiltIn = major > BUILT_IN.major || (major === BUILT_IN.major && minor >= BUILT_IN.minor);
  // In a variable, so that the bundler leaves it alone and the types of Node.js 20 accept it.
  const name = isBuiltIn ? 'node:sqlite' : '@photostructure/sqlite';
  try {
    return (await import(name)) as typeof Driver;
  } catch (error) {
    throw new Error(
      `${name} cannot be loaded, so the data directory cannot be opened. Install without --omit=optional, use Node.js 24.15 or newer, or set DATABASE_URL to use PostgreSQL.`,
      { cause: error },
    );
  }
}

/** The limit of the statement cache, in characters of SQL. A statement takes about ten times its text in memory. */
const MAX_CACHED_TEXT = 256 * 1024;

/** Kysely's SQLite dialect with cached statements and synchronous execution outside transactions. */
export class SynchronousSqliteDialect extends SqliteDialect {
  readonly #database: StatementCache;

  constructor(database: SqliteDatabase) {
    const cache = new StatementCache(database);
    super({ database: cache });
    this.#database = cache;
  }

  override createAdapter(): SqliteAdapter {
    return new SynchronousSqliteAdapter(this.#database);
  }
}

class SynchronousSqliteAdapter extends SqliteAdapter implements SynchronousAdapter {
  readonly #database: StatementCache;

  constructor(database: StatementCache) {
    super();
    this.#database = database;
  }

  executeSync(
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

/** Prepares each statement once: Kysely would prepare every query again, and ours have a few dozen texts. */
export class StatementCache implements KyselyDatabase {
  readonly #database: SqliteDatabase;
  readonly #statements = new LRUCache<string, KyselyStatement>({
    maxSize: MAX_CACHED_TEXT,
    sizeCalculation: (_statement, sql) => sql.length,
  });

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  prepare(sql: string): KyselyStatement {
    // SQLite rolls back by itself after some disk errors. Kysely's second rollback would fail and hide the cause.
    if (sql === 'rollback' && !this.inTransaction) return NO_OP;
    const cached = this.#statements.get(sql);
    if (cached) return cached;
    const statement = toKysely(this.#database.prepare(sql));
    this.#statements.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/** Adapts a statement of `node:sqlite` to Kysely. */
function toKysely(statement: SqliteStatement): KyselyStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters) as unknown[],
    run: (parameters) => statement.run(...parameters),
    iterate: (parameters) => statement.iterate(...parameters),
  };
}

const NO_OP: KyselyStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
};
