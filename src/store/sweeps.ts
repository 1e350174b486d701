import type { Kysely } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import type { Database } from './database.ts';
import { awaitsOutcome, waitsItsTurn } from './turns.ts';
import type { WriteContext, WriterQueue } from './writer-queue.ts';

type Sweeps = Pick<TaskStore, 'takeOver' | 'sweepOrphans' | 'sweep'>;

export function createSweeps(queue: WriterQueue): Sweeps {
  return {
    takeOver: (now) =>
      queue.write(
        {},
        unseen((trx) => takeOver(trx, now)),
      ),
    sweepOrphans: (now) =>
      queue.write(
        {},
        unseen((trx) => sweepOrphans(trx, now)),
      ),
    sweep: (before) =>
      queue.write(
        {},
        unseen((trx) => sweep(trx, before)),
      ),
  };
}

/** They are rare, so nobody looks at which records they write. */
function unseen<T>(run: (trx: Kysely<Database>) => Promise<T>) {
  return ({ trx, wroteUnseen }: WriteContext): Promise<T> => {
    wroteUnseen();
    return run(trx);
  };
}

async function takeOver(db: Kysely<Database>, now: number): Promise<void> {
  await db
    .updateTable('tasks')
    .set({ submit_lease_until: now })
    .where('submit_lease_until', '>', now)
    .execute();
  await db
    .updateTable('tasks')
    .set({ check_lease_until: null })
    .where('check_lease_until', '>', now)
    .execute();
  await db
    .updateTable('tasks')
    .set((eb) => ({ next_check_at: now, version: eb('version', '+', 1) }))
    .where(awaitsOutcome)
    .execute();
}

async function sweepOrphans(db: Kysely<Database>, now: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('tasks')
    .where('revision', 'is', null)
    .where(waitsItsTurn)
    .where('submit_lease_until', '<=', now)
    .executeTakeFirst();
  return Number(numDeletedRows);
}

async function sweep(
  db: Kysely<Database>,
  { refusedBefore, slotsBefore }: Parameters<TaskStore['sweep']>[0],
): Promise<void> {
  await db
    .deleteFrom('tasks')
    .where('revision', 'is', null)
    .where('refusal', 'is not', null)
    .where('updated_at', '<', refusedBefore)
    .execute();
  await db.deleteFrom('slots').where('taken_at', '<', slotsBefore).execute();
}
