import { sql, type Kysely } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import type { Database } from './schema.ts';
import { awaitsOutcome, awaitsSubmission, SEND_AT } from './claims.ts';
import { awaitsCopy, COPIES, endClaims } from './video-copies.ts';
import type { WriterQueue } from './writer-queue.ts';

/** An expression, so that no index on hidden tasks is used: refused tasks are many. */
const isHidden = sql<boolean>`revision + 0 is null`;

/** Literals, as in the partial indexes. */
const FINAL_STATES = [sql.lit('SUCCESS' as const), sql.lit('FAIL' as const)];

/** Writes the time in the column that holds it: in the other one, version 0.1.0 would find the task due. */
function sendAt(now: number) {
  return {
    submit_at: sql<number>`case when send_at is null then ${now} else submit_at end`,
    send_at: sql<number | null>`case when send_at is null then send_at else ${now} end`,
  };
}

export function createSweeps(queue: WriterQueue) {
  const sweepWith = <T>(run: (trx: Kysely<Database>) => Promise<T>): Promise<T> =>
    queue.write({}, ({ trx, wroteUnknown }) => {
      wroteUnknown();
      return run(trx);
    });

  return {
    takeOver: (now) =>
      sweepWith(async (trx) => {
        const tasks = trx.updateTable('tasks');
        await tasks
          .set({ submit_lease_until: now })
          .where(awaitsSubmission)
          .where('submit_lease_until', '>', now)
          .execute();
        await tasks
          .set({ check_lease_until: null })
          .where('next_check_at', 'is not', null)
          .where('check_lease_until', '>', now)
          .execute();
        await tasks
          .set((eb) => ({ next_check_at: now, version: eb('version', '+', 1) }))
          .where('next_check_at', 'is not', null)
          .where(awaitsOutcome)
          .execute();
        await endClaims(trx, now);
      }),

    clockWentBack: (now) =>
      sweepWith(async (trx) => {
        const tasks = trx.updateTable('tasks');
        await tasks
          .set((eb) => ({ next_check_at: now, check_lease_until: null, version: eb('version', '+', 1) }))
          .where('next_check_at', '>', now)
          .where((eb) => eb.not(awaitsOutcome(eb)))
          .execute();
        await tasks
          .set((eb) => ({ ...sendAt(now), version: eb('version', '+', 1) }))
          .where(awaitsSubmission)
          .where(SEND_AT, '>', now)
          .execute();
        await tasks.set({ archive_at: now }).where(awaitsCopy).where('archive_at', '>', now).execute();
      }),

    sweepOrphans: (now) =>
      sweepWith(async (trx) => {
        const orphans = trx.deleteFrom('tasks').where(isHidden).where(awaitsSubmission);
        const { numDeletedRows } = await orphans.where('submit_lease_until', '<=', now).executeTakeFirst();
        return Number(numDeletedRows);
      }),

    sweep: ({ now, refusedBefore, slotsBefore }) =>
      sweepWith(async (trx) => {
        const refused = trx.deleteFrom('tasks').where(isHidden).where('refusal', 'is not', null);
        await refused.where('updated_at', '<', refusedBefore).execute();
        // Also compared with the newest slot: if the clock jumps ahead, slots must not look old.
        for (const kind of ['create', 'query'] as const) {
          const slots = trx.selectFrom('slots').where('kind', '=', kind);
          const newest = slots.select(sql<number>`max(taken_at) - ${now - slotsBefore}`.as('at'));
          await trx
            .deleteFrom('slots')
            .where('kind', '=', kind)
            .where('taken_at', '<', slotsBefore)
            .where('taken_at', '<', newest)
            .execute();
        }
        await trx.deleteFrom('uploads').where('expires_at', '<=', now).execute();
      }),

    sweepEnded: (query) =>
      queue.write(COPIES, async ({ trx, wroteUnknown }) => {
        const deleted = await sweepEnded(trx, query);
        if (deleted > 0) wroteUnknown();
        return deleted;
      }),
  } satisfies Partial<TaskStore>;
}

async function sweepEnded(
  db: Kysely<Database>,
  { endedBefore, limit }: Parameters<TaskStore['sweepEnded']>[0],
): Promise<number> {
  let deleted = 0;
  for (const state of FINAL_STATES) {
    const ended = db
      .selectFrom('tasks')
      .select('id')
      .where('state', '=', state)
      .where('completed_at', '<', endedBefore)
      .orderBy('completed_at')
      .limit(limit - deleted);
    const ids = await db.deleteFrom('tasks').where('id', 'in', ended).returning('id').execute();
    deleted += ids.length;
    if (ids.length === 0) continue;
    const copies = db.updateTable('video_copies').set({ is_doomed: 1 });
    await copies
      .where(
        'task_id',
        'in',
        ids.map(({ id }) => id),
      )
      .execute();
  }
  return deleted;
}
