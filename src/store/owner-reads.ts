import type { Kysely } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import { available } from './available.ts';
import type { Database } from './database.ts';
import type { KeptRecords } from './kept-records.ts';
import { prepared } from './prepared.ts';
import { isAnnounced } from '../tasks/task.ts';
import { toAnnounced } from './record.ts';

type OwnerReads = Pick<TaskStore, 'find' | 'page' | 'changesAfter' | 'newestRevision'>;

interface OwnedId {
  readonly owner: string;
  readonly id: string;
}

interface NewerThan {
  readonly owner: string;
  readonly revision: number;
  readonly limit: number;
}

const byId = prepared((db, { id, owner }: OwnedId) => visible(db, owner).where('id', '=', id));
const byProviderId = prepared((db, { id, owner }: OwnedId) =>
  visible(db, owner).where('provider_task_id', '=', id),
);
const newer = prepared((db, { limit, owner, revision }: NewerThan) =>
  visible(db, owner).where('revision', '>', revision).orderBy('revision').limit(limit),
);
const newest = prepared((db) => db.selectFrom('counters').select('value').where('name', '=', 'revision'));

/** What callers read: announced tasks of one owner. */
export function createOwnerReads(db: Kysely<Database>, kept: KeptRecords): OwnerReads {
  return {
    find: (owner, id) =>
      available(async () => {
        const record = await kept.read(id, async () => {
          const { rows } = await byId(db, { owner, id });
          return rows[0] ? toAnnounced(rows[0]) : null;
        });
        // One that was kept may be anybody's, and hidden.
        if (record?.owner === owner && isAnnounced(record)) return record;
        const { rows } = await byProviderId(db, { owner, id });
        return rows[0] ? toAnnounced(rows[0]) : null;
      }),

    page: (owner, { below, limit, states }) =>
      available(async () => {
        let query = visible(db, owner);
        if (states.length > 0) query = query.where('state', 'in', states);
        if (below)
          query = query.where(({ eb, refTuple, tuple }) =>
            eb(refTuple('created_at', 'id'), '<', tuple(below.createdAt, below.id)),
          );
        const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute();
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
