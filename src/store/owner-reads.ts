import type { Kysely, Selectable } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import { available } from './available.ts';
import type { Database, TaskTable } from './database.ts';
import { toAnnounced } from './record.ts';

type OwnerReads = Pick<TaskStore, 'find' | 'page' | 'changesAfter' | 'newestRevision'>;

/** What callers read: announced tasks of one owner. */
export function createOwnerReads(db: Kysely<Database>): OwnerReads {
  const visible = db.selectFrom('tasks').selectAll().where('revision', 'is not', null);
  const one = createReadOne(db);

  return {
    find: (owner, id) =>
      available(async () => {
        const row = (await one('id', owner, id)) ?? (await one('provider_task_id', owner, id));
        return row ? toAnnounced(row) : null;
      }),

    page: (owner, { below, limit, states }) =>
      available(async () => {
        let query = visible.where('owner', '=', owner);
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
        const newer = visible.where('owner', '=', owner).where('revision', '>', revision);
        const rows = await newer.orderBy('revision').limit(limit).execute();
        return rows.map(toAnnounced);
      }),

    newestRevision: () => available(() => readNewestRevision(db)),
  };
}

/** What is read most: building and compiling its query takes longer than running it, so that is done once. */
function createReadOne(db: Kysely<Database>) {
  const by = (column: 'id' | 'provider_task_id') =>
    db
      .selectFrom('tasks')
      .selectAll()
      .where('revision', 'is not', null)
      .where('owner', '=', '')
      .where(column, '=', '')
      .compile();
  const queries = { id: by('id'), provider_task_id: by('provider_task_id') };
  return async (
    column: keyof typeof queries,
    owner: string,
    id: string,
  ): Promise<Selectable<TaskTable> | undefined> => {
    const { rows } = await db.executeQuery<Selectable<TaskTable>>({
      ...queries[column],
      parameters: [owner, id],
    });
    return rows[0];
  };
}

/** The newest revision that was given to any task; 0 before the first. */
export async function readNewestRevision(db: Kysely<Database>): Promise<number> {
  const counter = db.selectFrom('counters').select('value').where('name', '=', 'revision');
  return Number((await counter.executeTakeFirstOrThrow()).value);
}
