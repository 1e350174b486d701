import { sql, type Kysely } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import { available } from './available.ts';
import type { Database } from './database.ts';
import type { KeptRecords } from './kept-records.ts';
import { prepared } from './prepared.ts';
import {
  TASK_STATES,
  isAnnounced,
  type AnnouncedRecord,
  type TaskRecord,
  type TaskState,
} from '../tasks/task.ts';
import { toAnnounced, toRecord } from './record.ts';
import { readById } from './record-reads.ts';

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
        const isVisible = (record: TaskRecord | null): record is AnnouncedRecord =>
          record?.owner === owner && isAnnounced(record);
        const record = await kept.read(id, () => readById(db, id));
        if (isVisible(record)) return record;
        const { rows } = await byProviderId(db, { id });
        return rows.map(toRecord).find(isVisible) ?? null;
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
        return rows.map(toAnnounced);
      }),

    changesAfter: (owner, revision, limit) =>
      available(async () => {
        const { rows } = await newer(db, { owner, revision, limit });
        return rows.map(toAnnounced);
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
