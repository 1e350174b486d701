import { sql, type Kysely } from 'kysely';
import type { Database } from './database.ts';
import { prepared } from './prepared.ts';
import { lastServed, waitsItsTurn } from './turns.ts';

/** As turns are taken, those last that may not be sent yet. */
const inTurn = prepared((db, { now }: { readonly now: number }) => {
  const isPutOff = sql<number>`case when submit_at > ${now} then 1 else 0 end`;
  return db
    .selectFrom(
      db
        .selectFrom('tasks')
        .where(waitsItsTurn)
        .select((eb) => [
          'id',
          'owner',
          isPutOff.as('is_put_off'),
          sql<number>`row_number() over (partition by owner, ${isPutOff} order by created_at, id)`.as('turn'),
          sql<number>`min(created_at) over (partition by owner, ${isPutOff})`.as('since'),
          lastServed(eb).as('served'),
        ])
        .as('waiting'),
    )
    .select('id')
    .orderBy('is_put_off')
    .orderBy('turn')
    .orderBy('served')
    .orderBy('since')
    .orderBy('owner');
});

/** The ids of all tasks that wait their turn, in the order in which they would be sent at `now`. */
export async function readQueue(db: Kysely<Database>, now: number): Promise<readonly string[]> {
  return (await inTurn(db, { now })).rows.map(({ id }) => id);
}
