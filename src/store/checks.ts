import { sql, type ExpressionBuilder, type Kysely } from 'kysely';
import type { Claim, TaskStore } from '../tasks/store.ts';
import type { Database } from './database.ts';
import { toRecord } from './record.ts';
import { countSlots, takeSlot, type SlotClock } from './slots.ts';

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
