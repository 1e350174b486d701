import { sql, type ExpressionBuilder, type Kysely } from 'kysely';
import type { Claim, TaskStore } from '../tasks/store.ts';
import type { TaskRecord } from '../tasks/task.ts';
import type { Database } from './database.ts';
import { toRecord } from './record.ts';
import { countSlots, takeSlot } from './slots.ts';

type Query = Parameters<TaskStore['takeTurns']>[0];
type Turns = Omit<Query, 'now'> & { readonly now: number };

/** A task that was not sent yet, or whose mark was taken back. */
export function waitsItsTurn(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', 'SUBMITTING'),
    eb('marked_at', 'is', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/** A task whose mark is set, and of whose create call nothing is written. */
export function awaitsOutcome(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([
    eb('state', '=', 'SUBMITTING'),
    eb('marked_at', 'is not', null),
    eb('unknown_since', 'is', null),
    eb('refusal', 'is', null),
  ]);
}

/** Marks as many waiting tasks as there are free slots; to be run in one transaction. */
export async function takeTurns(db: Kysely<Database>, query: Query): Promise<Claim> {
  const { limit, windowMs } = query;
  const now = query.now();
  const turns = { ...query, now };
  await takeBackOldMarks(db, turns);
  const records = await markedBefore(db, turns);
  const taken = await countSlots(db, 'create', now - windowMs);
  let newly = 0;
  for (const task of await nextInTurn(db, turns, limit - taken.count)) {
    const marked = await mark(db, task.id, turns);
    if (!marked) continue;
    await takeSlot(db, 'create', task.owner, now);
    records.push(marked);
    newly += 1;
  }
  const isLimited = taken.count + newly >= limit;
  const freeAt = isLimited ? (taken.oldest ?? now) + windowMs : now;
  const submitAt = await earliestSubmit(db, turns);
  return { records, nextAt: submitAt === null ? null : Math.max(freeAt, submitAt) };
}

/**
 * Of an earlier call of the same attempt, whose commit was not heard of. Nobody was given them, so nothing was sent, also
 * where another process has concluded by now that the answer was lost. They need new slots: theirs count no more.
 */
async function takeBackOldMarks(db: Kysely<Database>, { attempt, now, windowMs }: Turns): Promise<void> {
  await db
    .updateTable('tasks')
    .set((eb) => ({
      marked_at: null,
      marked_by: null,
      unknown_since: null,
      next_check_at: null,
      version: eb('version', '+', 1),
    }))
    .where('marked_by', '=', attempt)
    .where('state', '=', 'SUBMITTING')
    .where('marked_at', 'is not', null)
    .where('refusal', 'is', null)
    .where((eb) => eb.or([eb('marked_at', '<=', now - windowMs), eb('unknown_since', 'is not', null)]))
    .execute();
}

/** By an earlier call of the same attempt, so lately that their slots still count. */
async function markedBefore(db: Kysely<Database>, { attempt }: Turns): Promise<TaskRecord[]> {
  const rows = await db
    .selectFrom('tasks')
    .selectAll()
    .where('marked_by', '=', attempt)
    .where(awaitsOutcome)
    .execute();
  return rows.map(toRecord);
}

/** Round robin: the first task of every owner before the second of any, the owner who was served longest ago first. */
async function nextInTurn(db: Kysely<Database>, turns: Turns, count: number) {
  if (count <= 0) return [];
  return db
    .selectFrom(
      sendable(db, turns)
        .where('submit_at', '<=', turns.now)
        .select(({ selectFrom }) => [
          'id',
          'owner',
          'created_at',
          sql<number>`row_number() over (partition by owner order by created_at, id)`.as('turn'),
          selectFrom('slots')
            .where('kind', '=', 'create')
            .whereRef('slots.owner', '=', 'tasks.owner')
            .select(({ fn }) => fn.coalesce(fn.max('slots.id'), sql<number>`0`).as('served'))
            .as('served'),
        ])
        .as('waiting'),
    )
    .select(['id', 'owner'])
    .orderBy('turn')
    .orderBy('served')
    .orderBy('created_at')
    .orderBy('id')
    .limit(count)
    .execute();
}

/** A hidden task belongs to the process in which its mutation waits: nobody else may send it. */
function sendable(db: Kysely<Database>, { processId }: Turns) {
  return db
    .selectFrom('tasks')
    .where(waitsItsTurn)
    .where((eb) => eb.or([eb('revision', 'is not', null), eb('submit_lease_by', '=', processId)]));
}

/** null when somebody else set the mark first: then it is theirs to send. */
async function mark(
  db: Kysely<Database>,
  id: string,
  { attempt, checkAfterMs, now }: Turns,
): Promise<TaskRecord | null> {
  const row = await db
    .updateTable('tasks')
    .set((eb) => ({
      marked_at: now,
      marked_by: attempt,
      next_check_at: now + checkAfterMs,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(waitsItsTurn)
    .returningAll()
    .executeTakeFirst();
  return row ? toRecord(row) : null;
}

async function earliestSubmit(db: Kysely<Database>, turns: Turns): Promise<number | null> {
  const row = await sendable(db, turns)
    .select(({ fn }) => fn.min('submit_at').as('at'))
    .executeTakeFirst();
  // min() of nothing is null, whatever the column's type says.
  const at = row?.at as number | string | null | undefined;
  return at === null || at === undefined ? null : Number(at);
}
