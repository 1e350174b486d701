import { sql, type Kysely, type Selectable } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import { type AnnouncedRecord, type TaskRecord, takenAt, type TimelineEntry } from '../tasks/task.ts';
import { available } from './available.ts';
import type { Database, TaskTable } from './database.ts';
import type { KeptRecords } from './kept-records.ts';
import { prepared } from './prepared.ts';
import { toAnnounced, toRecord } from './record.ts';
import { readQueue } from './queue.ts';
import { waitsItsTurn } from './turns.ts';

type RecordReads = Pick<
  TaskStore,
  'get' | 'getByKey' | 'holderOf' | 'waitingByOwner' | 'newestDurations' | 'queue'
>;

const byId = prepared((db, { id }: { readonly id: string }) =>
  db.selectFrom('tasks').selectAll().where('id', '=', id),
);
const idByProviderId = prepared((db, { id }: { readonly id: string }) =>
  db.selectFrom('tasks').select('id').where('provider_task_id', '=', id),
);
const waiting = prepared((db) =>
  db
    .selectFrom('tasks')
    .where(waitsItsTurn)
    .groupBy('owner')
    .select(({ fn }) => ['owner', fn.countAll<number | string>().as('count')]),
);

/** In the text of the query, as in that of its index. */
const DONE = sql.lit('SUCCESS' as const);

/** What the task's life reads: hidden tasks too. */
export function createRecordReads(db: Kysely<Database>, kept: KeptRecords): RecordReads {
  const tasks = db.selectFrom('tasks');

  return {
    get: (id) => available(() => kept.read(id, () => readById(db, id))),

    getByKey: (owner, idempotencyKey) =>
      available(async () => {
        const mine = tasks.selectAll().where('owner', '=', owner);
        const row = await mine.where('idempotency_key', '=', idempotencyKey).executeTakeFirst();
        return row ? toRecord(row) : null;
      }),

    holderOf: (id) =>
      available(async () => {
        const { rows } = await idByProviderId(db, { id });
        return rows[0]?.id ?? null;
      }),

    waitingByOwner: () =>
      available(async () => {
        const { rows } = await waiting(db, {});
        return new Map(rows.map(({ count, owner }) => [owner, Number(count)]));
      }),

    newestDurations: (limit) =>
      available(async () => {
        const rows = await tasks
          .select(['timeline', 'created_at', 'completed_at'])
          .where('state', '=', DONE)
          .orderBy('completed_at', 'desc')
          .limit(limit)
          .execute();
        return rows.map(durationOf);
      }),

    queue: (now) => available(() => readQueue(db, now)),
  };
}

/** Any task, hidden ones included. */
export async function readById(db: Kysely<Database>, id: string): Promise<TaskRecord | null> {
  const { rows } = await byId(db, { id });
  return rows[0] ? toRecord(rows[0]) : null;
}

/** From when the provider took it, where that is known. */
function durationOf(row: Pick<Selectable<TaskTable>, 'timeline' | 'created_at' | 'completed_at'>): number {
  const timeline = JSON.parse(row.timeline) as readonly TimelineEntry[];
  return Number(row.completed_at) - (takenAt(timeline) ?? Number(row.created_at));
}

/** Visible tasks of all owners that changed after a revision, each in its newest state, in order of revision. */
export function readChanges(
  db: Kysely<Database>,
): (revision: number, limit: number) => Promise<readonly AnnouncedRecord[]> {
  return (revision, limit) =>
    available(async () => {
      const newer = db.selectFrom('tasks').selectAll().where('revision', '>', revision);
      return (await newer.orderBy('revision').limit(limit).execute()).map(toAnnounced);
    });
}

/** Rejects when the store cannot be read. */
export function proveRead(db: Kysely<Database>): Promise<void> {
  return available(async () => {
    await sql`select 1`.execute(db);
  });
}
