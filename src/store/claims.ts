import {
  sql,
  type ExpressionBuilder,
  type Insertable,
  type Kysely,
  type RawBuilder,
  type SelectQueryBuilder,
} from 'kysely';
import type { Claim, TaskStore } from '../tasks/store.ts';
import type { Database, SlotTable } from './schema.ts';
import { prepared } from './statements.ts';
import { toRecord } from './record.ts';
import type { WriteContext } from './writer-queue.ts';

type SubmissionQuery = Parameters<TaskStore['claimSubmissions']>[0];

/** The parameters of the statements below; times in ms since the epoch. */
interface Values extends Pick<SubmissionQuery, 'attempt' | 'processId' | 'provider'> {
  readonly now: number;
  readonly checkAt: number;
  /** The rate slot of an older mark has expired. */
  readonly slotsSince: number;
}

/** A literal, as in the partial indexes: SQLite would plan the query again for each bound value. */
const SUBMITTING = sql.lit('SUBMITTING' as const);

/** When the task may be sent. */
export const SEND_AT = sql<number>`coalesce(send_at, submit_at)`;

/** The task has no mark: it was not sent yet, or its mark was undone. */
export function awaitsSubmission(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([hasNoOutcome(eb), eb('marked_at', 'is', null)]);
}

/** The task has a mark, and the outcome of its create call is not recorded. */
export function awaitsOutcome(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([hasNoOutcome(eb), eb('marked_at', 'is not', null)]);
}

function hasNoOutcome(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([eb('state', '=', SUBMITTING), eb('unknown_since', 'is', null), eb('refusal', 'is', null)]);
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

interface Turns {
  /** Calls of this kind show which owner was served longest ago. */
  readonly kind: Kind;
  /** The tasks of an owner are served in this order. */
  readonly by: 'created_at' | 'next_check_at';
  /** 1 for tasks that come last. */
  readonly isDelayed?: RawBuilder<number>;
}

/** Rows of a query in the order of turns: round robin over owners. */
function inTurn(
  db: Kysely<Database>,
  tasks: SelectQueryBuilder<Database, 'tasks', object>,
  { by, isDelayed = sql.lit(0), kind }: Turns,
) {
  const column = sql.ref(by);
  return (
    db
      .selectFrom(
        tasks
          .select([
            'id',
            'owner',
            isDelayed.as('is_delayed'),
            sql<number>`row_number() over (partition by owner, ${isDelayed} order by ${column}, id)`.as(
              'round',
            ),
            sql<number>`min(${column}) over (partition by owner, ${isDelayed})`.as('since'),
          ])
          .as('waiting'),
      )
      .select(['id', 'owner'])
      .orderBy('is_delayed')
      // The first task of each owner before the second of any; the owner served longest ago comes first.
      .orderBy('round')
      .orderBy(({ selectFrom }) =>
        selectFrom('slots')
          .where('kind', '=', kind)
          .whereRef('slots.owner', '=', 'waiting.owner')
          .select(({ fn }) => fn.coalesce(fn.max('slots.id'), sql<number>`0`).as('served')),
      )
      // Per owner, not per task: the order is the same for many claims of one task and one claim of many.
      .orderBy('since')
      .orderBy('owner')
  );
}

/** The turns of submissions: those that may not be sent at `now` come last. */
function submissionTurns(now: number): Turns {
  const isDelayed = sql<number>`case when ${SEND_AT} > ${now} then 1 else 0 end`;
  return { kind: 'create', by: 'created_at', isDelayed };
}

const nextSubmissions = prepared((db, values: Values & { readonly count: number }) =>
  inTurn(db, sendable(db, values).where(SEND_AT, '<=', values.now), submissionTurns(values.now)).limit(
    values.count,
  ),
);
const queue = prepared((db, { now }: { readonly now: number }) =>
  inTurn(db, db.selectFrom('tasks').where(awaitsSubmission), submissionTurns(now)),
);

/** The ids of all tasks that await submission, in the order in which they would be sent at `now`. */
export async function readQueue(db: Kysely<Database>, now: number): Promise<readonly string[]> {
  return (await queue(db, { now })).rows.map(({ id }) => id);
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
  sendable(db, values).select(sql<NullableInteger>`min(${SEND_AT})`.as('at')),
);

/** A hidden task may be sent only by the process that runs its mutation, and only while that process holds the lease. */
function sendable(db: Kysely<Database>, { now, processId, provider }: Values) {
  return db
    .selectFrom('tasks')
    .where('provider', '=', provider)
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
  const { attempt, checkAfterMs, processId, provider, windowMs } = query;
  const { free, nextAt, now, take } = await openWindow(db, 'create', slotClock, query);
  const values = {
    attempt,
    processId,
    provider,
    now,
    checkAt: now + checkAfterMs,
    slotsSince: now - windowMs,
  };
  const undone = await undoExpiredMarks(db, values);
  undone.rows.map(toRecord).forEach(wrote);
  const records = (await markedByThisAttempt(db, values)).rows.map(toRecord);
  const candidates = free > 0 ? (await nextSubmissions(db, { ...values, count: free })).rows : [];
  let marks = 0;
  for (const { id, owner } of candidates) {
    const [marked] = (await setMark(db, { ...values, id })).rows;
    if (!marked) continue;
    await take(owner);
    const record = toRecord(marked);
    wrote(record);
    records.push(record);
    marks += 1;
  }
  const [earliest] = (await earliestSubmit(db, values)).rows;
  return { records, nextAt: nextAt(marks, earliest) };
}

/** Owners take turns among so many of the most overdue tasks: sorting all would block the process during a large backlog. */
const MOST_IN_TURNS = 1000;

/** The window of the query limit, in ms. */
export const QUERY_WINDOW_MS = 1000;

const leaseDue = prepared(
  (db, { count, now, provider, until }: Poll & { readonly count: number; readonly until: number }) => {
    const due = db
      .selectFrom('tasks')
      .select('id')
      .where('provider', '=', provider)
      .where('next_check_at', '<=', now)
      .where(isUnleased(now))
      .orderBy('next_check_at')
      .limit(MOST_IN_TURNS);
    const turns: Turns = { kind: 'query', by: 'next_check_at' };
    const next = inTurn(db, db.selectFrom('tasks').where('id', 'in', due), turns).limit(count);
    return (
      db
        .updateTable('tasks')
        .set({ check_lease_until: until })
        .where('id', 'in', next.clearSelect().select('id'))
        // Another process may have written these tasks since they were read.
        .where('next_check_at', '<=', now)
        .where(isUnleased(now))
        .returningAll()
    );
  },
);

const earliestCheck = prepared((db, { now, provider }: Poll) =>
  db
    .selectFrom('tasks')
    .where('provider', '=', provider)
    .where('next_check_at', 'is not', null)
    .where(isUnleased(now))
    .select(sql<NullableInteger>`min(next_check_at)`.as('at')),
);

interface Poll {
  readonly provider: string;
  readonly now: number;
}

function isUnleased(now: number) {
  return (eb: ExpressionBuilder<Database, 'tasks'>) =>
    eb.or([eb('check_lease_until', 'is', null), eb('check_lease_until', '<=', now)]);
}

/** Leases due tasks in the order of turns, as many as the query limit allows. Run it in one transaction. */
export async function claimDue(
  { trx: db, wrote }: WriteContext,
  query: Parameters<TaskStore['claimDue']>[0],
  slotClock: SlotClock,
): Promise<Claim> {
  const limits = { limit: query.limitPerSecond, windowMs: QUERY_WINDOW_MS };
  const { free, nextAt, now, take } = await openWindow(db, 'query', slotClock, { ...query, ...limits });
  const poll = { provider: query.provider, now };
  const lease = { ...poll, count: free, until: now + query.leaseMs };
  const records = free > 0 ? (await leaseDue(db, lease)).rows.map(toRecord) : [];
  for (const { owner } of records) await take(owner);
  records.forEach(wrote);
  const [earliest] = (await earliestCheck(db, poll)).rows;
  return { records, nextAt: nextAt(records.length, earliest) };
}

type Kind = SlotTable['kind'];
type NullableInteger = number | string | null;

/** The window of a limit that ends now, with its free slots. */
async function openWindow(
  db: Kysely<Database>,
  kind: Kind,
  slotClock: SlotClock,
  query: Clocks & { readonly provider: string; readonly limit: number; readonly windowMs: number },
) {
  const { limit, provider, windowMs } = query;
  const now = query.now();
  const time = await slotClock(db, kind, query);
  const { count, oldest } = await countSlots(db, { kind, provider, since: time - windowMs });
  return {
    now,
    free: limit - count,
    take: (owner: string) => insertSlot(db, { kind, provider, owner, taken_at: time }),
    /** When to claim again after so many slots were taken, if the earliest task may be claimed `at`. */
    nextAt(taken: number, earliest: { readonly at: NullableInteger } | undefined): number | null {
      const at = earliest?.at ?? null;
      const freeAt = count + taken >= limit ? now + (oldest ?? time) + windowMs - time : now;
      return at === null ? null : Math.max(freeAt, Number(at));
    },
  };
}

/** The rate slots of one limit that were taken after a time. */
interface Slots {
  readonly kind: Kind;
  readonly provider: string;
  readonly since: number;
}

const slotsSince = prepared((db, { kind, provider, since }: Slots) =>
  db
    .selectFrom('slots')
    .where('kind', '=', kind)
    .where('provider', '=', provider)
    .where('taken_at', '>', since)
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      sql<NullableInteger>`min(taken_at)`.as('oldest'),
    ]),
);

const newestSlot = prepared((db, { kind }: { readonly kind: Kind }) =>
  db
    .selectFrom('slots')
    .where('kind', '=', kind)
    .select(sql<NullableInteger>`max(taken_at)`.as('at')),
);

const insertSlot = prepared((db, slot: Insertable<SlotTable>) => db.insertInto('slots').values(slot));

/** How many slots were taken after `since`, and when the oldest of them was. */
export async function countSlots(
  db: Kysely<Database>,
  slots: Slots,
): Promise<{ readonly count: number; readonly oldest: number | null }> {
  const [row] = (await slotsSince(db, slots)).rows;
  const oldest = row?.oldest ?? null;
  return { count: Number(row?.count ?? 0), oldest: oldest === null ? null : Number(oldest) };
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
type SlotClock = (db: Kysely<Database>, kind: Kind, clocks: Clocks) => Promise<number>;

export function createSlotClock(): SlotClock {
  let ahead: number | null = null;
  return async (db, kind, { elapsed, now }) => {
    const { rows } = await newestSlot(db, { kind });
    // Read after the query: slots that others took during it would put this clock ahead.
    const time = now();
    const monotonic = elapsed?.() ?? time;
    const at = Math.max(monotonic + (ahead ?? time - monotonic), Number(rows[0]?.at ?? -Infinity));
    ahead = at - monotonic;
    return Math.round(at);
  };
}
