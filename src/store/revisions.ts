import type { Transaction } from 'kysely';
import type { Database } from './database.ts';
import { prepared } from './prepared.ts';

const counted = prepared((db, { count }: { readonly count: number }) =>
  db
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', 'revision')
    .returning('value'),
);

/** Revisions that belong to one transaction: those above `before`, up to `last`. */
export interface Revisions {
  readonly before: number;
  readonly last: number;
  /** Gives them out one by one. */
  readonly next: () => number;
}

/**
 * Takes so many from the store's one counter. Its row is locked before anything else is written, so that commits happen in
 * order of revision.
 */
export async function takeRevisions(trx: Transaction<Database>, count: number): Promise<Revisions> {
  if (count === 0) return { before: 0, last: 0, next: never };
  const { rows } = await counted(trx, { count });
  const last = Number(rows[0]?.value);
  let given = last - count;
  return { before: given, last, next: () => (given += 1) };
}

function never(): never {
  throw new Error('a write took a revision without having said so');
}
