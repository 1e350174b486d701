import { sql, type ExpressionBuilder, type Kysely } from 'kysely';
import type { Claim, TaskStore } from '../tasks/store.ts';
import type { Database } from './schema.ts';
import { prepared } from './statements.ts';
import { toRecord } from './record.ts';
import { countSlots, takeSlot, type SlotClock } from './rate-slots.ts';
import type { WriteContext } from './writer-queue.ts';

type Query = Parameters<TaskStore['takeTurns']>[0];

/** What the queries are run with; times in ms since the epoch. */
interface Values extends Pick<Query, 'attempt' | 'processId'> {
  readonly now: number;
  readonly checkAt: number;
  /** Marks from before it have a slot that counts no more. */
  readonly slotsSince: number;
}

/**
 * In the text of the query, as in those of the indexes that it is to use: for a value that comes with each run SQLite plans
 * the query anew each time.
 */
const SUBMITTING = sql.lit('SUBMITTING' as const);

/** A task that was not sent yet, or whose mark was taken back. */
export function waitsItsTurn(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', SUBMITTING),
    eb('marked_at', 'is', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/** A task whose mark is set, and of whose create call nothing is written. */
export function awaitsOutcome(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', SUBMITTING),
    eb('marked_at', 'is not', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/**
 * Of an earlier call of the same attempt, whose commit was not heard of. Nobody was given them, so nothing was sent, also
 * where another process has concluded by now that the answer was lost. They need new slots: theirs count no more.
 */
const takeBackOldMarks = prepared((db, { attempt, slotsSince }: Values) =>
  db
    .updateTable('tasks')
    .set((eb) => ({
      marked_at: null,
      marked_by: null,
      unknown_since: null,
      next_check_at: null,
      version: eb('version', '+', 1),
    }))
    .where('marked_by', '=', attempt)
    .where('state', '=', SUBMITTING)
    .where('marked_at', 'is not', null)
    .where('refusal', 'is', null)
    .where((eb) => eb.or([eb('marked_at', '<=', slotsSince), eb('unknown_since', 'is not', null)]))
    .returningAll(),
);

/** By an earlier call of the same attempt, so lately that their slots still count. */
const markedBefore = prepared((db, { attempt }: Values) =>
  db.selectFrom('tasks').selectAll().where('marked_by', '=', attempt).where(awaitsOutcome),
);

/** Round robin: the first task of every owner before the second of any, the owner who was served longest ago first. */
const nextInTurn = prepared((db, values: Values & { readonly count: number }) =>
  db
    .selectFrom(
      sendable(db, values)
        .where('submit_at', '<=', values.now)
        .select((eb) => [
          'id',
          'owner',
          sql<number>`row_number() over (partition by owner order by created_at, id)`.as('turn'),
          sql<number>`min(created_at) over (partition by owner)`.as('since'),
          lastServed(eb).as('served'),
        ])
        .as('waiting'),
    )
    .select(['id', 'owner'])
    .orderBy('turn')
    .orderBy('served')
    // Of the owner and not of the task: so it is the same order whether turns are taken one by one or many at a time.
    .orderBy('since')
    .orderBy('owner')
    .limit(values.count),
);

/** When the owner of a task had a turn last: the id of a slot. */
export function lastServed({ selectFrom }: ExpressionBuilder<Database, 'tasks'>) {
  return selectFrom('slots')
    .where('kind', '=', 'create')
    .whereRef('slots.owner', '=', 'tasks.owner')
    .select(({ fn }) => fn.coalesce(fn.max('slots.id'), sql<number>`0`).as('served'));
}

/** Nothing when somebody else set the mark first: then it is theirs to send. */
const mark = prepared((db, { attempt, checkAt, id, now }: Values & { readonly id: string }) =>
  db
    .updateTable('tasks')
    .set((eb) => ({
      marked_at: now,
      marked_by: attempt,
      next_check_at: checkAt,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(waitsItsTurn)
    .returningAll(),
);

const earliestSubmit = prepared((db, values: Values) =>
  sendable(db, values).select(sql<number | string | null>`min(submit_at)`.as('at')),
);

/**
 * A hidden task belongs to the process in which its mutation waits, as long as its lease lasts: nobody else may send it,
 * nor that process when it slept for longer.
 */
function sendable(db: Kysely<Database>, { now, processId }: Values) {
  return db
    .selectFrom('tasks')
    .where(waitsItsTurn)
    .where((eb) =>
      eb.or([
        eb('revision', 'is not', null),
        eb.and([eb('submit_lease_by', '=', processId), eb('submit_lease_until', '>', now)]),
      ]),
    );
}

/** Marks as many waiting tasks as there are free slots. */
export async function claimSubmissions(
  { trx: db, wrote }: WriteContext,
  query: Query,
  slotClock: SlotClock,
): Promise<Claim> {
  const { attempt, checkAfterMs, limit, processId, windowMs } = query;
  const now = query.now();
  const slotTime = await slotClock(db, 'create', () => {
    const at = query.now();
    return { now: at, elapsed: query.elapsed?.() ?? at };
  });
  const values = { attempt, processId, now, checkAt: now + checkAfterMs, slotsSince: now - windowMs };

  const takenBack = await takeBackOldMarks(db, values);
  takenBack.rows.map(toRecord).forEach(wrote);
  const { rows } = await markedBefore(db, values);
  const taken = await countSlots(db, 'create', slotTime - windowMs);
  const next =
    taken.count < limit ? (await nextInTurn(db, { ...values, count: limit - taken.count })).rows : [];
  let newly = 0;
  const records = rows.map(toRecord);
  for (const { id, owner } of next) {
    const [marked] = (await mark(db, { ...values, id })).rows;
    if (!marked) continue;
    await takeSlot(db, 'create', owner, slotTime);
    const record = toRecord(marked);
    wrote(record);
    records.push(record);
    newly += 1;
  }
  const isLimited = taken.count + newly >= limit;
  const freeAt = isLimited ? now + (taken.oldest ?? slotTime) + windowMs - slotTime : now;
  const at = (await earliestSubmit(db, values)).rows[0]?.at ?? null;
  return { records, nextAt: at === null ? null : Math.max(freeAt, Number(at)) };
}

type Checks = Parameters<TaskStore['claimDue']>[0];

/** Over how long the limit of queries counts, in ms. */
export const QUERY_WINDOW_MS = 1000;

/** Leases the most overdue tasks, as many as the query limit allows; to be run in one transaction. */
export async function claimDue(db: Kysely<Database>, checks: Checks, slotClock: SlotClock): Promise<Claim> {
  const { leaseMs, limitPerSecond } = checks;
  const now = checks.now();
  const slotTime = await slotClock(db, 'query', () => {
    const at = checks.now();
    return { now: at, elapsed: checks.elapsed?.() ?? at };
  });
  const taken = await countSlots(db, 'query', slotTime - QUERY_WINDOW_MS);
  const due = await mostOverdue(db, now, limitPerSecond - taken.count);
  for (const task of due) await takeSlot(db, 'query', task.owner, slotTime);
  const rows =
    due.length === 0
      ? []
      : await db
          .updateTable('tasks')
          .set({ check_lease_until: now + leaseMs })
          .where(
            'id',
            'in',
            due.map((task) => task.id),
          )
          // Another process may have written them since they were found.
          .where(isDue(now))
          .returningAll()
          .execute();
  const isLimited = taken.count + rows.length >= limitPerSecond;
  const freeAt = isLimited ? now + (taken.oldest ?? slotTime) + QUERY_WINDOW_MS - slotTime : now;
  const dueAt = await earliestDue(db, now);
  return { records: rows.map(toRecord), nextAt: dueAt === null ? null : Math.max(freeAt, dueAt) };
}

async function mostOverdue(db: Kysely<Database>, now: number, count: number) {
  if (count <= 0) return [];
  return db
    .selectFrom('tasks')
    .select(['id', 'owner'])
    .where(isDue(now))
    .orderBy('next_check_at')
    .limit(count)
    .execute();
}

async function earliestDue(db: Kysely<Database>, now: number): Promise<number | null> {
  const row = await db
    .selectFrom('tasks')
    .where('next_check_at', 'is not', null)
    .where(isUnleased(now))
    .select(sql<number | string | null>`min(next_check_at)`.as('at'))
    .executeTakeFirst();
  const at = row?.at ?? null;
  return at === null ? null : Number(at);
}

function isDue(now: number) {
  return (eb: ExpressionBuilder<Database, 'tasks'>) =>
    eb.and([eb('next_check_at', '<=', now), isUnleased(now)(eb)]);
}

function isUnleased(now: number) {
  return (eb: ExpressionBuilder<Database, 'tasks'>) =>
    eb.or([eb('check_lease_until', 'is', null), eb('check_lease_until', '<=', now)]);
}
