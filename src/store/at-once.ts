import type { DialectAdapter, QueryResult } from 'kysely';

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

export function answersAtOnce(adapter: DialectAdapter): adapter is AnswersAtOnce & DialectAdapter {
  return 'answerAtOnce' in adapter;
}
