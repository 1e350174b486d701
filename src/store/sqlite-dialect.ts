import {
  SqliteAdapter,
  SqliteDialect,
  type QueryResult,
  type SqliteDatabase as KyselyDatabase,
  type SqliteStatement as KyselyStatement,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import type { AnswersAtOnce } from './at-once.ts';
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.ts';

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
