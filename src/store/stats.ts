import { sql, type Kysely } from 'kysely';
import { isTerminal, type TaskState } from '../tasks/task.ts';
import type { Database } from './schema.ts';
import { prepared, storeRead } from './statements.ts';
import { awaitsSubmission, countSlots } from './claims.ts';
import type { Dialect } from './connections.ts';
import { pendingMigrations } from './migrate.ts';

/** The unfinished work of all owners; times in ms since the epoch. */
export interface Overview {
  /** Unfinished tasks by state, hidden ones included. */
  readonly unfinished: Readonly<Record<Exclude<TaskState, 'SUCCESS' | 'FAIL'>, number>>;
  /** When the oldest unfinished task was created. */
  readonly oldestAt: number | null;
  /** Tasks that await submission. */
  readonly waiting: number;
  /** Tasks whose outcome is unknown. */
  readonly unknown: number;
  /** The earliest due time of a poll; in the past if polling lags. */
  readonly checkDueAt: number | null;
  /** Taken rate slots. */
  readonly slots: { readonly create: number; readonly query: number };
}

type Value = number | string | null;

/** Uses the index on due times, which excludes tasks that have ended for good. */
const polled = prepared((db) =>
  db
    .selectFrom('tasks')
    .where('next_check_at', 'is not', null)
    .where((eb) => eb.not(awaitsSubmission(eb)))
    .groupBy('state')
    .select(({ fn }) => [
      'state',
      fn.countAll<number | string>().as('count'),
      fn.count<number | string>('unknown_since').as('unknown'),
      sql<Value>`min(created_at)`.as('oldest_at'),
      sql<Value>`min(next_check_at)`.as('due_at'),
    ]),
);

/** All other unfinished tasks. */
const waiting = prepared((db) =>
  db
    .selectFrom('tasks')
    .where(awaitsSubmission)
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      sql<Value>`min(created_at)`.as('oldest_at'),
    ]),
);

/** Reads only unfinished tasks, however many have ended. */
export function readOverview(
  db: Kysely<Database>,
  { provider, ...since }: { readonly provider: string; readonly create: number; readonly query: number },
): Promise<Overview> {
  return storeRead(async () => {
    const { rows } = await polled(db, {});
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
        create: (await countSlots(db, { kind: 'create', provider, since: since.create })).count,
        query: (await countSlots(db, { kind: 'query', provider, since: since.query })).count,
      },
    };
  });
}

function earliest(times: readonly (Value | undefined)[]): number | null {
  const known = times.filter((time) => time !== null && time !== undefined).map(Number);
  return known.length === 0 ? null : Math.min(...known);
}

/** What can be read from a store without changing it. */
export interface StoreFacts {
  /** The missing migrations. */
  readonly pending: readonly string[];
  /** The key of callback tokens; null if no gateway has used the store yet. */
  readonly callbackSecret: Buffer | null;
}

/** Throws StoreSchemaError if the schema is newer. */
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
