import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import { prepared } from './prepared.ts';

/** The value differs each time: SQLite does not write a page that stays as it is. */
const stamp = prepared((db, { now }: { readonly now: number }) =>
  db
    .insertInto('counters')
    .values({ name: 'written_at', value: now })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: now })),
);

/** Writes something that means nothing; rejects when the store cannot write. */
export async function proveWrite(db: Kysely<Database>): Promise<void> {
  await stamp(db, { now: Date.now() });
}
