import type * as Driver from '@photostructure/sqlite';
import {
  SqliteAdapter,
  SqliteDialect,
  type QueryResult,
  type SqliteDatabase as KyselyDatabase,
  type SqliteStatement as KyselyStatement,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import type { AnswersAtOnce } from '../statements.ts';

export type SqliteDatabase = Driver.DatabaseSyncInstance;
type SqliteStatement = Driver.StatementSyncInstance;

/** The first version of Node.js whose own `node:sqlite` prints no warning (nodejs/node#61262). */
const BUILT_IN = { major: 24, minor: 15 };

/** Result codes of SQLite, without what extends them: https://sqlite.org/rescode.html. */
export const SQLITE = { BUSY: 5, CORRUPT: 11, FULL: 13, NOTADB: 26 } as const;

/** `node:sqlite`, or the same API from a package on older versions of Node.js. Rejects with what to install. */
export const { DatabaseSync } = await load();

/** Which of the SQLITE codes an error has, and is caused by; null for errors of others. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  // The low byte is the kind of error, the others say more of it.
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  return sqliteCode(error.cause);
}

async function load(): Promise<typeof Driver> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isBuiltIn = major > BUILT_IN.major || (major === BUILT_IN.major && minor >= BUILT_IN.minor);
  // In a variable: the build leaves it alone, and types of Node.js 20 do not know the other one.
  const name = isBuiltIn ? 'node:sqlite' : '@photostructure/sqlite';
  try {
    return (await import(name)) as typeof Driver;
  } catch (error) {
    throw new Error(
      `${name} cannot be loaded, and without it no data directory can be opened. Install without --omit=optional, use Node.js 24.15 or newer, or keep the tasks in PostgreSQL (DATABASE_URL).`,
      { cause: error },
    );
  }
}

/** Of the SQL text of all prepared statements, in characters. A statement takes some ten times as much memory. */
const MAX_KEPT_TEXT = 256 * 1024;

/** Kysely's dialect for `node:sqlite`. It keeps prepared statements, and offers a way past the queue for its connection. */
export class AtOnceDialect extends SqliteDialect {
  readonly #database: KeptStatements;

  constructor(database: SqliteDatabase) {
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

/** Kysely prepares each query anew; the text of ours is always one of a few dozen. All statements are run by it. */
export class KeptStatements implements KyselyDatabase {
  readonly #database: SqliteDatabase;
  readonly #kept = new LRUCache<string, KyselyStatement>({
    maxSize: MAX_KEPT_TEXT,
    sizeCalculation: (_statement, sql) => sql.length,
  });

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  prepare(sql: string): KyselyStatement {
    // SQLite itself rolls back what a full or broken disk has stopped; doing it twice would hide why.
    if (sql === 'rollback' && !this.inTransaction) return NOTHING;
    const kept = this.#kept.get(sql);
    if (kept) return kept;
    const statement = toKysely(this.#database.prepare(sql));
    this.#kept.set(sql, statement);
    return statement;
  }

  close(): void {
    this.#kept.clear();
    this.#database.close();
  }
}

/** A statement that was prepared by `node:sqlite`, as Kysely takes it. */
function toKysely(statement: SqliteStatement): KyselyStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters) as unknown[],
    run: (parameters) => statement.run(...parameters),
    iterate: (parameters) => statement.iterate(...parameters),
  };
}

const NOTHING: KyselyStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
};
