import { sql, type Kysely, type Selectable } from 'kysely';
import type { PagePosition, TaskStore } from '../tasks/store.ts';
import {
  type VisibleRecord,
  type TaskRecord,
  takenAt,
  type TimelineEntry,
  TASK_STATES,
  isVisible,
  type TaskState,
} from '../tasks/task.ts';
import type { Database, TaskTable } from './schema.ts';
import type { RecordCache } from './record-cache.ts';
import { prepared, storeRead, storeReads } from './statements.ts';
import { failureOf, toRecord, toVisible } from './record.ts';
import { awaitsSubmission, readQueue } from './claims.ts';

const byId = prepared((db, { id }: { readonly id: string }) =>
  db.selectFrom('tasks').selectAll().where('id', '=', id),
);
const waiting = prepared((db) =>
  db
    .selectFrom('tasks')
    .where(awaitsSubmission)
    .groupBy('owner')
    .select(({ fn }) => ['owner', fn.countAll<number | string>().as('count')]),
);

/** A literal, as in the partial index. */
const DONE = sql.lit('SUCCESS' as const);

interface Limited {
  readonly owner: string;
  readonly limit: number;
}

/** Without a condition on the owner: with one, SQLite would read the owner's whole history by another index. */
const byProviderId = prepared((db, { id }: { readonly id: string }) =>
  db.selectFrom('tasks').selectAll().where('provider_task_id', '=', id),
);
const newer = prepared((db, { limit, owner, revision }: Limited & { readonly revision: number }) =>
  db
    .selectFrom('tasks')
    .selectAll()
    .where('revision', 'is not', null)
    .where('owner', '=', owner)
    .where('revision', '>', revision)
    .orderBy('revision')
    .limit(limit),
);
const newest = prepared((db) => db.selectFrom('counters').select('value').where('name', '=', 'revision'));

/** Replaces a state that is not requested, so that one statement serves every list of states. */
const NO_STATE = '' as TaskState;

/** Merges the newest tasks of each state: an index on the state is ordered by time within one state only. */
const page = prepared(
  (db, { createdAt, id, limit, owner, ...states }: Limited & PagePosition & Record<TaskState, TaskState>) => {
    const [first, ...others] = TASK_STATES.map((state) =>
      db
        .selectFrom(
          db
            .selectFrom('tasks')
            .selectAll()
            .where('revision', 'is not', null)
            // The expression of the index tasks_listed.
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

/** Reads of tasks, callbacks and workers, which include hidden tasks, and of clients, which do not. */
export function createReads(db: Kysely<Database>, cache: RecordCache) {
  const tasks = db.selectFrom('tasks');

  return storeReads({
    get: (id: string) => cache.get(id, () => readById(db, id)),

    async getByKey(owner: string, idempotencyKey: string) {
      const mine = tasks.selectAll().where('owner', '=', owner);
      const row = await mine.where('idempotency_key', '=', idempotencyKey).executeTakeFirst();
      return row ? toRecord(row) : null;
    },

    async holderOf(id: string) {
      const { rows } = await byProviderId(db, { id });
      return rows[0]?.id ?? null;
    },

    async waitingByOwner() {
      const { rows } = await waiting(db, {});
      return new Map(rows.map(({ count, owner }) => [owner, Number(count)]));
    },

    async newestSuccesses(model: string, variant: string, limit: number) {
      const rows = await tasks
        .select(['timeline', 'created_at', 'completed_at', 'credits_consumed', 'end_image_url'])
        .where('state', '=', DONE)
        .where('model', '=', model)
        .where('variant', '=', variant)
        .orderBy('completed_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        duration: durationOf(row),
        credits: row.credits_consumed,
        hasEndImage: row.end_image_url !== null,
      }));
    },

    async newestOutcomes(model: string, since: number, limit: number) {
      const rows = await tasks
        .select('failure')
        .where('model', '=', model)
        .where('completed_at', '>', since)
        .orderBy('completed_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ failure }) => failureOf(failure)?.code ?? null);
    },

    queue: (now: number) => readQueue(db, now),

    async find(owner: string, id: string) {
      const isVisibleToOwner = (record: TaskRecord | null): record is VisibleRecord =>
        record?.owner === owner && isVisible(record);
      const record = await cache.get(id, () => readById(db, id));
      if (isVisibleToOwner(record)) return record;
      const { rows } = await byProviderId(db, { id });
      return rows.map(toRecord).find(isVisibleToOwner) ?? null;
    },

    async page(owner: string, { below, limit, states }: Parameters<TaskStore['page']>[1]) {
      const wanted = new Set(states.length > 0 ? states : TASK_STATES);
      const parameters = TASK_STATES.map((state) => [state, wanted.has(state) ? state : NO_STATE]);
      const { rows } = await page(db, {
        ...(Object.fromEntries(parameters) as Record<TaskState, TaskState>),
        ...(below ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' }),
        owner,
        limit,
      });
      return rows.map(toVisible);
    },

    async changesAfter(owner: string, revision: number, limit: number) {
      return (await newer(db, { owner, revision, limit })).rows.map(toVisible);
    },

    newestRevision: () => readNewestRevision(db),
  });
}

async function readById(db: Kysely<Database>, id: string): Promise<TaskRecord | null> {
  const { rows } = await byId(db, { id });
  return rows[0] ? toRecord(rows[0]) : null;
}

/** Measured from when the provider accepted the task, or from its creation if that is not recorded. */
function durationOf(row: Pick<Selectable<TaskTable>, 'timeline' | 'created_at' | 'completed_at'>): number {
  const timeline = JSON.parse(row.timeline) as readonly TimelineEntry[];
  return Number(row.completed_at) - (takenAt(timeline) ?? Number(row.created_at));
}

/** Visible tasks of all owners that changed after a revision, in order of revision. */
export function readChanges(
  db: Kysely<Database>,
): (revision: number, limit: number) => Promise<readonly VisibleRecord[]> {
  return (revision, limit) =>
    storeRead(async () => {
      const newer = db.selectFrom('tasks').selectAll().where('revision', '>', revision);
      return (await newer.orderBy('revision').limit(limit).execute()).map(toVisible);
    });
}

/** The newest revision of any task; 0 before the first. */
export async function readNewestRevision(db: Kysely<Database>): Promise<number> {
  const { rows } = await newest(db, {});
  return Number(rows[0]?.value);
}
