import type { Compilable, CompiledQuery, DialectAdapter, Kysely, QueryResult } from 'kysely';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { Database } from './schema.ts';

/** Stands for a value that each run provides. */
class Placeholder {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/** Runs a query with values, on a database or in a transaction. */
type Prepared<Values, Row> = (db: Kysely<Database>, values: Values) => Promise<QueryResult<Row>>;

/**
 * A query that is built and compiled once per database: compiling takes longer than running it. `build` receives placeholders
 * and must not inspect them. Every run provides values of the same names.
 */
export function prepared<Values extends object, Row>(
  build: (db: Kysely<Database>, values: Values) => Compilable<Row>,
): Prepared<Values, Row> {
  const cache = new WeakMap<DialectAdapter, CompiledQuery<Row>>();

  return async (db, values) => {
    const { adapter } = db.getExecutor();
    let compiled = cache.get(adapter);
    if (!compiled) {
      compiled = build(db, placeholdersFor(values)).compile();
      cache.set(adapter, compiled);
    }
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? values[parameter.name as keyof Values] : parameter,
    );
    const result = isSynchronous(adapter)
      ? adapter.executeSync(compiled.sql, parameters, db.isTransaction)
      : null;
    return (result as QueryResult<Row> | null) ?? db.executeQuery({ ...compiled, parameters });
  };
}

function placeholdersFor<Values extends object>(values: Values): Values {
  const entries = Object.keys(values).map((name) => [name, new Placeholder(name)]);
  return Object.fromEntries(entries) as Values;
}

/** The adapter of a database in this process, which runs statements synchronously. */
export interface SynchronousAdapter {
  /**
   * Runs a statement without Kysely's connection queue, which takes longer than most statements. Returns null if the statement
   * must queue, because another caller's transaction is open and its uncommitted data must stay private.
   */
  executeSync(
    sql: string,
    parameters: readonly unknown[],
    isInTransaction: boolean,
  ): QueryResult<unknown> | null;
}

function isSynchronous(adapter: DialectAdapter): adapter is SynchronousAdapter & DialectAdapter {
  return 'executeSync' in adapter;
}

/** Runs a read and turns every error into a StoreUnavailableError. */
export async function storeRead<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(error);
  }
}

/** The same reads, each of whose errors becomes a StoreUnavailableError. */
export function storeReads<Reads extends Readonly<Record<string, (...args: never[]) => Promise<unknown>>>>(
  reads: Reads,
): Reads {
  const wrapped = Object.entries(reads).map(([name, read]) => [
    name,
    (...args: never[]) => storeRead(() => read(...args)),
  ]);
  return Object.fromEntries(wrapped) as Reads;
}
