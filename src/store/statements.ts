import type { Compilable, CompiledQuery, DialectAdapter, Kysely, QueryResult } from 'kysely';
import type { Database } from './schema.ts';

/** Where a value is put each time the query is run. */
class Placeholder {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/** Runs a query with these values, on a database or in a transaction. */
type Prepared<Values, Row> = (db: Kysely<Database>, values: Values) => Promise<QueryResult<Row>>;

/**
 * A query that is built and compiled once for each database, which for one that runs all the time costs more than the
 * query itself. `build` gets in place of each value what stands for it, and must not look at it; every run brings values
 * of the same names.
 */
export function prepared<Values extends object, Row>(
  build: (db: Kysely<Database>, values: Values) => Compilable<Row>,
): Prepared<Values, Row> {
  const kept = new WeakMap<DialectAdapter, CompiledQuery<Row>>();

  return async (db, values) => {
    const { adapter } = db.getExecutor();
    let compiled = kept.get(adapter);
    if (!compiled) {
      compiled = build(db, placeholdersFor(values)).compile();
      kept.set(adapter, compiled);
    }
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? values[parameter.name as keyof Values] : parameter,
    );
    const answer = answersAtOnce(adapter)
      ? adapter.answerAtOnce(compiled.sql, parameters, db.isTransaction)
      : null;
    return (answer as QueryResult<Row> | null) ?? db.executeQuery({ ...compiled, parameters });
  };
}

function placeholdersFor<Values extends object>(values: Values): Values {
  const entries = Object.keys(values).map((name) => [name, new Placeholder(name)]);
  return Object.fromEntries(entries) as Values;
}

/** A database in this very process, whose statements answer on the spot. */
export interface AnswersAtOnce {
  /**
   * Runs a statement without Kysely's queue for the one connection, which takes longer than most statements do. Returns
   * null when it has to queue: somebody's transaction is open, and only they may see what is not committed.
   */
  answerAtOnce(
    sql: string,
    parameters: readonly unknown[],
    isInTransaction: boolean,
  ): QueryResult<unknown> | null;
}

function answersAtOnce(adapter: DialectAdapter): adapter is AnswersAtOnce & DialectAdapter {
  return 'answerAtOnce' in adapter;
}
