import { sql, type Kysely } from 'kysely';
import { isTerminal, type TaskState } from '../tasks/task.ts';
import { available } from './retry.ts';
import type { Database } from './schema.ts';
import { prepared } from './statements.ts';
import { countSlots } from './rate-slots.ts';
import { waitsItsTurn, lastServed } from './claims.ts';
import type { Dialect } from './connections.ts';
import { pendingMigrations } from './migrate.ts';

/** What there is to do, over all owners; times in ms since the epoch. */
export interface Overview {
  /** Tasks that have not ended, hidden ones included. */
  readonly unfinished: Readonly<Record<Exclude<TaskState, 'SUCCESS' | 'FAIL'>, number>>;
  /** When the oldest of them was created. */
  readonly oldestAt: number | null;
  /** Those that wait their turn to be sent. */
  readonly waiting: number;
  /** Those of which nobody knows whether the provider took them. */
  readonly unknown: number;
  /** The earliest time at which a task is to be looked at, also when it is past. */
  readonly checkDueAt: number | null;
  /** Slots of the limits that are taken. */
  readonly slots: { readonly create: number; readonly query: number };
}

type Value = number | string | null;

/** By the index of times of checks, in which no task is that has truly ended. */
const looked = prepared((db) =>
  db
    .selectFrom('tasks')
    .where('next_check_at', 'is not', null)
    .where((eb) => eb.not(waitsItsTurn(eb)))
    .groupBy('state')
    .select(({ fn }) => [
      'state',
      fn.countAll<number | string>().as('count'),
      fn.count<number | string>('unknown_since').as('unknown'),
      sql<Value>`min(created_at)`.as('oldest_at'),
      sql<Value>`min(next_check_at)`.as('due_at'),
    ]),
);

/** All others that have not ended. */
const waiting = prepared((db) =>
  db
    .selectFrom('tasks')
    .where(waitsItsTurn)
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      sql<Value>`min(created_at)`.as('oldest_at'),
    ]),
);

/** Reads no more rows than there are unfinished tasks, however many have ended. */
export function readOverview(
  db: Kysely<Database>,
  slotsSince: { readonly create: number; readonly query: number },
): Promise<Overview> {
  return available(async () => {
    const { rows } = await looked(db, {});
    const [queue] = (await waiting(db, {})).rows;
    const unfinished = rows.filter(({ state }) => !isTerminal(state));
    const inQueue = Number(queue?.count);
    const count = (state: TaskState): number =>
      Number(unfinished.find((row) => row.state === state)?.count ?? 0);
    return {
      unfinished: {
        SUBMITTING: count('SUBMITTING') + inQueue,
        WAITING: count('WAITING'),
        QUEUING: count('QUEUING'),
        GENERATING: count('GENERATING'),
      },
      oldestAt: earliest([queue?.oldest_at, ...unfinished.map((row) => row.oldest_at)]),
      waiting: inQueue,
      unknown: unfinished.reduce((sum, row) => sum + Number(row.unknown), 0),
      checkDueAt: earliest(rows.map((row) => row.due_at)),
      slots: {
        create: (await countSlots(db, 'create', slotsSince.create)).count,
        query: (await countSlots(db, 'query', slotsSince.query)).count,
      },
    };
  });
}

function earliest(times: readonly (Value | undefined)[]): number | null {
  const known = times.filter((time) => time !== null && time !== undefined).map(Number);
  return known.length === 0 ? null : Math.min(...known);
}

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

/** What can be learnt of a store without changing anything in it. */
export interface StoreFacts {
  /** The migrations that it lacks. */
  readonly pending: readonly string[];
  /** Of which callback addresses are made; null when no gateway has run on it yet. */
  readonly callbackSecret: Buffer | null;
}

/** Reads them. Throws StoreSchemaError when a newer program has been here. */
export async function readStoreFacts(db: Kysely<Database>, dialect: Dialect): Promise<StoreFacts> {
  const pending = await pendingMigrations(db, dialect);
  const hasTables = !pending.includes('0001-tasks');
  return { pending, callbackSecret: hasTables ? await callbackSecret(db) : null };
}

async function callbackSecret(db: Kysely<Database>): Promise<Buffer | null> {
  const row = await db
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', 'callback')
    .executeTakeFirst();
  return row === undefined ? null : Buffer.from(row.value, 'base64');
}
