import { sql, type Insertable, type Kysely } from 'kysely';
import type { Database, SlotTable } from './schema.ts';
import { prepared } from './statements.ts';

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

const newest = prepared((db, { kind }: { readonly kind: Kind }) =>
  db
    .selectFrom('slots')
    .where('kind', '=', kind)
    .select(sql<number | string | null>`max(taken_at)`.as('at')),
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

/** What the time is now, and a time in ms that only goes forward, whatever becomes of the clock. */
interface SlotTimes {
  readonly now: number;
  readonly elapsed: number;
}

/**
 * The time by which slots are taken and counted: it begins as `now`, goes on as `elapsed` does, and is never behind a slot
 * that is there. So a clock that is set frees no slot early, and one that was ahead holds none up for longer than its window.
 */
export type SlotClock = (db: Kysely<Database>, kind: Kind, times: () => SlotTimes) => Promise<number>;

export function createSlotClock(): SlotClock {
  let ahead: number | null = null;
  return async (db, kind, times) => {
    const { rows } = await newest(db, { kind });
    // Not before: slots that others took while it was waited for would put this clock ahead.
    const { elapsed, now } = times();
    const at = Math.max(elapsed + (ahead ?? now - elapsed), Number(rows[0]?.at ?? -Infinity));
    ahead = at - elapsed;
    return Math.round(at);
  };
}
