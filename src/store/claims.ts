import { sql, type ExpressionBuilder, type Kysely } from 'kysely';
import type { Claim, TaskStore } from '../tasks/store.ts';
import type { Database } from './schema.ts';
import { prepared } from './statements.ts';
import { toRecord } from './record.ts';
import type { WriteContext } from './writer-queue.ts';
import { countSlots, takeSlot, type SlotClock } from './rate-slots.ts';

type SubmissionQuery = Parameters<TaskStore['claimSubmissions']>[0];

/** The parameters of the statements below; times in ms since the epoch. */
interface Values extends Pick<SubmissionQuery, 'attempt' | 'processId'> {
  readonly now: number;
  readonly checkAt: number;
  /** The rate slot of an older mark has expired. */
  readonly slotsSince: number;
}

/** A literal, as in the partial indexes: SQLite would plan the query again for each bound value. */
const SUBMITTING = sql.lit('SUBMITTING' as const);

/** The task has no mark: it was not sent yet, or its mark was undone. */
export function awaitsSubmission(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', SUBMITTING),
    eb('marked_at', 'is', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/** The task has a mark, and the outcome of its create call is not recorded. */
export function awaitsOutcome(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', SUBMITTING),
    eb('marked_at', 'is not', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/**
 * Undoes marks of an earlier try of this attempt whose rate slots have expired. The records were never handed out, so nothing
 * was sent, even if another process has since recorded the outcome as unknown.
 */
const undoExpiredMarks = prepared((db, { attempt, slotsSince }: Values) =>
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

/** Tasks that an earlier try of this attempt marked, and whose rate slots still count. */
const markedByThisAttempt = prepared((db, { attempt }: Values) =>
  db.selectFrom('tasks').selectAll().where('marked_by', '=', attempt).where(awaitsOutcome),
);

/** Round robin over owners: the first task of each before the second of any; the owner served longest ago comes first. */
const nextSubmissions = prepared((db, values: Values & { readonly count: number }) =>
  db
    .selectFrom(
      sendable(db, values)
        .where('submit_at', '<=', values.now)
        .select((eb) => [
          'id',
          'owner',
          sql<number>`row_number() over (partition by owner order by created_at, id)`.as('round'),
          sql<number>`min(created_at) over (partition by owner)`.as('since'),
          lastServed(eb).as('served'),
        ])
        .as('waiting'),
    )
    .select(['id', 'owner'])
    .orderBy('round')
    .orderBy('served')
    // Per owner, not per task: the order is the same for many claims of one task and one claim of many.
    .orderBy('since')
    .orderBy('owner')
    .limit(values.count),
);

/** When a task of this owner was last submitted, as the id of its rate slot; 0 if never. */
export function lastServed({ selectFrom }: ExpressionBuilder<Database, 'tasks'>) {
  return selectFrom('slots')
    .where('kind', '=', 'create')
    .whereRef('slots.owner', '=', 'tasks.owner')
    .select(({ fn }) => fn.coalesce(fn.max('slots.id'), sql<number>`0`).as('served'));
}

/** Sets a mark. Returns no row if another process set it first; that process sends the task. */
const setMark = prepared((db, { attempt, checkAt, id, now }: Values & { readonly id: string }) =>
  db
    .updateTable('tasks')
    .set((eb) => ({
      marked_at: now,
      marked_by: attempt,
      next_check_at: checkAt,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(awaitsSubmission)
    .returningAll(),
);

const earliestSubmit = prepared((db, values: Values) =>
  sendable(db, values).select(sql<number | string | null>`min(submit_at)`.as('at')),
);

/** A hidden task may be sent only by the process that runs its mutation, and only while that process holds the lease. */
function sendable(db: Kysely<Database>, { now, processId }: Values) {
  return db
    .selectFrom('tasks')
    .where(awaitsSubmission)
    .where((eb) =>
      eb.or([
        eb('revision', 'is not', null),
        eb.and([eb('submit_lease_by', '=', processId), eb('submit_lease_until', '>', now)]),
      ]),
    );
}

/** Marks as many tasks as there are free rate slots. Run it in one transaction. */
export async function claimSubmissions(
  { trx: db, wrote }: WriteContext,
  query: SubmissionQuery,
  slotClock: SlotClock,
): Promise<Claim> {
  const { attempt, checkAfterMs, limit, processId, windowMs } = query;
  const now = query.now();
  const slotTime = await slotClock(db, 'create', query);
  const values = { attempt, processId, now, checkAt: now + checkAfterMs, slotsSince: now - windowMs };

  const undone = await undoExpiredMarks(db, values);
  undone.rows.map(toRecord).forEach(wrote);
  const { rows } = await markedByThisAttempt(db, values);
  const taken = await countSlots(db, 'create', slotTime - windowMs);
  const candidates =
    taken.count < limit ? (await nextSubmissions(db, { ...values, count: limit - taken.count })).rows : [];
  let marks = 0;
  const records = rows.map(toRecord);
  for (const { id, owner } of candidates) {
    const [marked] = (await setMark(db, { ...values, id })).rows;
    if (!marked) continue;
    await takeSlot(db, 'create', owner, slotTime);
    const record = toRecord(marked);
    wrote(record);
    records.push(record);
    marks += 1;
  }
  const isLimited = taken.count + marks >= limit;
  const freeAt = isLimited ? now + (taken.oldest ?? slotTime) + windowMs - slotTime : now;
  const at = (await earliestSubmit(db, values)).rows[0]?.at ?? null;
  return { records, nextAt: at === null ? null : Math.max(freeAt, Number(at)) };
}

/** The window of the query limit, in ms. */
export const QUERY_WINDOW_MS = 1000;

/** Leases the most overdue tasks, as many as the query limit allows. Run it in one transaction. */
export async function claimDue(
  db: Kysely<Database>,
  query: Parameters<TaskStore['claimDue']>[0],
  slotClock: SlotClock,
): Promise<Claim> {
  const { leaseMs, limitPerSecond } = query;
  const now = query.now();
  const slotTime = await slotClock(db, 'query', query);
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
          // Another process may have written these tasks since they were read.
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
