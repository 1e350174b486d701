import { sql, type Insertable, type Kysely } from 'kysely';
import type { Database, SlotTable } from './database.ts';
import { prepared } from './prepared.ts';

type Kind = SlotTable['kind'];

const counted = prepared((db, { kind, since }: { readonly kind: Kind; readonly since: number }) =>
  db
    .selectFrom('slots')
    .where('kind', '=', kind)
    .where('taken_at', '>', since)
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      sql<number | string | null>`min(taken_at)`.as('oldest'),
    ]),
);

const add = prepared((db, slot: Insertable<SlotTable>) => db.insertInto('slots').values(slot));

/** How many slots were taken after `since`, and when the oldest of them was. */
export async function countSlots(
  db: Kysely<Database>,
  kind: Kind,
  since: number,
): Promise<{ readonly count: number; readonly oldest: number | null }> {
  const { rows } = await counted(db, { kind, since });
  const { count = 0, oldest = null } = rows[0] ?? {};
  return { count: Number(count), oldest: oldest === null ? null : Number(oldest) };
}

export async function takeSlot(db: Kysely<Database>, kind: Kind, owner: string, now: number): Promise<void> {
  await add(db, { kind, owner, taken_at: now });
}
