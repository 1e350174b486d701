import { sql, type Insertable, type Kysely } from 'kysely';
import type { Database, SlotTable } from './schema.ts';
import { prepared } from './statements.ts';

type Kind = SlotTable['kind'];

const count = prepared((db, { kind, since }: { readonly kind: Kind; readonly since: number }) =>
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

const insert = prepared((db, slot: Insertable<SlotTable>) => db.insertInto('slots').values(slot));

/** How many slots of a kind were taken after `since`, and when the oldest of them was. */
export async function countSlots(
  db: Kysely<Database>,
  kind: Kind,
  since: number,
): Promise<{ readonly count: number; readonly oldest: number | null }> {
  const [row] = (await count(db, { kind, since })).rows;
  const oldest = row?.oldest ?? null;
  return { count: Number(row?.count ?? 0), oldest: oldest === null ? null : Number(oldest) };
}

export async function takeSlot(db: Kysely<Database>, kind: Kind, owner: string, now: number): Promise<void> {
  await insert(db, { kind, owner, taken_at: now });
}

interface Clocks {
  readonly now: () => number;
  /** A monotonic time in ms; `now` if left out. */
  readonly elapsed?: (() => number) | undefined;
}

/**
 * The time by which slots are taken and counted. It starts at `now`, advances with `elapsed`, and is never behind the newest
 * slot. So a clock change frees no slot early, and a clock that was ahead blocks none for longer than one window.
 */
export type SlotClock = (db: Kysely<Database>, kind: Kind, clocks: Clocks) => Promise<number>;

export function createSlotClock(): SlotClock {
  let ahead: number | null = null;
  return async (db, kind, { elapsed, now }) => {
    const { rows } = await newest(db, { kind });
    // Read after the query: slots that others took during it would put this clock ahead.
    const time = now();
    const monotonic = elapsed?.() ?? time;
    const at = Math.max(monotonic + (ahead ?? time - monotonic), Number(rows[0]?.at ?? -Infinity));
    ahead = at - monotonic;
    return Math.round(at);
  };
}
