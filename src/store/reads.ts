import { sql, type Kysely, type Selectable } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import {
  type VisibleRecord,
  type TaskRecord,
  takenAt,
  type TimelineEntry,
  TASK_STATES,
  isVisible,
  type TaskState,
} from '../tasks/task.ts';
import { available } from './retry.ts';
import type { Database, TaskTable } from './schema.ts';
import type { KeptRecords } from './kept-records.ts';
import { prepared } from './statements.ts';
import { toVisible, toRecord } from './record.ts';
import { readQueue } from './stats.ts';
import { waitsItsTurn } from './claims.ts';

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
async function readById(db: Kysely<Database>, id: string): Promise<TaskRecord | null> {
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
): (revision: number, limit: number) => Promise<readonly VisibleRecord[]> {
  return (revision, limit) =>
    available(async () => {
      const newer = db.selectFrom('tasks').selectAll().where('revision', '>', revision);
      return (await newer.orderBy('revision').limit(limit).execute()).map(toVisible);
    });
}

/** Rejects when the store cannot be read. */
export function proveRead(db: Kysely<Database>): Promise<void> {
  return available(async () => {
    await sql`select 1`.execute(db);
  });
}

type OwnerReads = Pick<TaskStore, 'find' | 'page' | 'changesAfter' | 'newestRevision'>;

interface NewerThan {
  readonly owner: string;
  readonly revision: number;
  readonly limit: number;
}

/** Not narrowed to the owner here: SQLite would read the owner's whole history by another index. */
const byProviderId = prepared((db, { id }: { readonly id: string }) =>
  db.selectFrom('tasks').selectAll().where('provider_task_id', '=', id),
);
const newer = prepared((db, { limit, owner, revision }: NewerThan) =>
  visible(db, owner).where('revision', '>', revision).orderBy('revision').limit(limit),
);
const newest = prepared((db) => db.selectFrom('counters').select('value').where('name', '=', 'revision'));

interface PageOf {
  readonly owner: string;
  readonly createdAt: number;
  readonly id: string;
  readonly limit: number;
}

/** What stands for a state that is not asked for, so that one statement does for every list of states. */
const NO_STATE = '' as TaskState;

/** The newest of each state, merged: an index on states gives them in order only one state at a time. */
const page = prepared(
  (db, { createdAt, id, limit, owner, ...states }: PageOf & Record<TaskState, TaskState>) => {
    const [first, ...others] = TASK_STATES.map((state) =>
      db
        .selectFrom(
          db
            .selectFrom('tasks')
            .selectAll()
            .where('revision', 'is not', null)
            // As in the index tasks_listed.
            .where(sql`owner || ''`, '=', owner)
            .where('state', '=', states[state])
            .where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '<', tuple(createdAt, id)))
            .orderBy('created_at', 'desc')
            .orderBy('id', 'desc')
            .limit(limit)
            .as('newest'),
        )
        .selectAll(),
    );
    if (!first) throw new Error('there are no states');
    return others
      .reduce((all, other) => all.unionAll(other), first)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit);
  },
);

/** What callers read: announced tasks of one owner. */
export function createOwnerReads(db: Kysely<Database>, kept: KeptRecords): OwnerReads {
  return {
    find: (owner, id) =>
      available(async () => {
        const isOwnVisible = (record: TaskRecord | null): record is VisibleRecord =>
          record?.owner === owner && isVisible(record);
        const record = await kept.read(id, () => readById(db, id));
        if (isOwnVisible(record)) return record;
        const { rows } = await byProviderId(db, { id });
        return rows.map(toRecord).find(isOwnVisible) ?? null;
      }),

    page: (owner, { below, limit, states }) =>
      available(async () => {
        const wanted = new Set(states.length > 0 ? states : TASK_STATES);
        const asked = TASK_STATES.map((state) => [state, wanted.has(state) ? state : NO_STATE]);
        const { rows } = await page(db, {
          ...(Object.fromEntries(asked) as Record<TaskState, TaskState>),
          ...(below ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }),
          owner,
          limit,
        });
        return rows.map(toVisible);
      }),

    changesAfter: (owner, revision, limit) =>
      available(async () => {
        const { rows } = await newer(db, { owner, revision, limit });
        return rows.map(toVisible);
      }),

    newestRevision: () => available(() => readNewestRevision(db)),
  };
}

/** The newest revision that was given to any task; 0 before the first. */
export async function readNewestRevision(db: Kysely<Database>): Promise<number> {
  const { rows } = await newest(db, {});
  return Number(rows[0]?.value);
}

function visible(db: Kysely<Database>, owner: string) {
  return db.selectFrom('tasks').selectAll().where('revision', 'is not', null).where('owner', '=', owner);
}
