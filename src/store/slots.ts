import type { Kysely } from 'kysely';
import type { Database, SlotTable } from './database.ts';

type Kind = SlotTable['kind'];

/** How many slots were taken after `since`, and when the oldest of them was. */
export async function countSlots(
  db: Kysely<Database>,
  kind: Kind,
  since: number,
): Promise<{ readonly count: number; readonly oldest: number | null }> {
  const row = await db
    .selectFrom('slots')
    .where('kind', '=', kind)
    .where('taken_at', '>', since)
    .select(({ fn }) => [fn.countAll<number | string>().as('count'), fn.min('taken_at').as('oldest')])
    .executeTakeFirstOrThrow();
  // min() of nothing is null, whatever the column's type says.
  const oldest = row.oldest as number | string | null;
  return { count: Number(row.count), oldest: oldest === null ? null : Number(oldest) };
}

export async function takeSlot(db: Kysely<Database>, kind: Kind, owner: string, now: number): Promise<void> {
  await db.insertInto('slots').values({ kind, owner, taken_at: now }).execute();
}
