import { sql, type Kysely } from 'kysely';
import { StoreUnavailableError, type TaskStore } from '../tasks/store.ts';
import type { Database } from './database.ts';
import { toAnnounced, toRecord } from './record.ts';
import { waitsItsTurn } from './turns.ts';

type Reads = Pick<
  TaskStore,
  'get' | 'find' | 'page' | 'changesAfter' | 'newestRevision' | 'countWaiting' | 'ping'
>;

export function createReads(db: Kysely<Database>): Reads {
  const tasks = db.selectFrom('tasks');
  const visible = tasks.selectAll().where('revision', 'is not', null);

  return {
    get: (id) =>
      available(async () => {
        const row = await tasks.selectAll().where('id', '=', id).executeTakeFirst();
        return row ? toRecord(row) : null;
      }),

    find: (owner, id) =>
      available(async () => {
        const mine = visible.where('owner', '=', owner);
        const row =
          (await mine.where('id', '=', id).executeTakeFirst()) ??
          (await mine.where('provider_task_id', '=', id).executeTakeFirst());
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

    newestRevision: () =>
      available(async () => {
        const row = await db
          .selectFrom('counters')
          .select('value')
          .where('name', '=', 'revision')
          .executeTakeFirstOrThrow();
        return Number(row.value);
      }),

    countWaiting: () =>
      available(async () => {
        const row = await tasks
          .where(waitsItsTurn)
          .select(({ fn }) => fn.countAll<number | string>().as('count'))
          .executeTakeFirstOrThrow();
        return Number(row.count);
      }),

    ping: () =>
      available(async () => {
        await sql`select 1`.execute(db);
      }),
  };
}

async function available<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(error);
  }
}
