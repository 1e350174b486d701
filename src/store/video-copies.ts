import { sql, type ExpressionBuilder, type Kysely, type Selectable } from 'kysely';
import { objectOf, type ArchiveStore, type StoredCopy } from '../archive/archive-store.ts';
import { toRecord } from './record.ts';
import type { VideoCopyTable, Database } from './schema.ts';
import { storeReads } from './statements.ts';
import type { Needs, WriterQueue } from './writer-queue.ts';
import { saveRecord } from './writes.ts';

/** Literals, as in the partial indexes. */
const SUCCEEDED = sql.lit('SUCCESS' as const);
const ALIVE = sql.lit(0);
const DOOMED = sql.lit(1);
/** When an object was stored that is only reserved. */
const RESERVED = 0;

/** The task has videos to copy. */
export function awaitsCopy(eb: ExpressionBuilder<Database, 'tasks'>) {
  return eb.and([eb('state', '=', SUCCEEDED), eb('archive_at', 'is not', null)]);
}

/** The most claims to look for; they end before nearly all retries are due. */
const MOST_CLAIMS = 1000;

/** Ends the claims of a process that has ended, except of tasks with a failed attempt: those may only wait for their retry. */
export async function endClaims(db: Kysely<Database>, now: number): Promise<void> {
  const later = db.selectFrom('tasks').select('id').where(awaitsCopy).where('archive_at', '>', now);
  await db
    .updateTable('tasks')
    .set({ archive_at: now })
    // Limited, so that the planner cannot choose to read all tasks.
    .where('id', 'in', later.orderBy('archive_at').limit(MOST_CLAIMS))
    // JSON escapes quotes in strings, so no URL and no reason contains this.
    .where('videos', 'not like', '%"state":"PENDING"%')
    .execute();
}

/**
 * Needed by every write that depends on which copies are in an object. Without it, a process could delete the last copy of an
 * object while another one adds a copy, or two could each leave the object to the other's copy.
 */
export const COPIES: Needs = { lock: 'copies' };

/** Copies of videos: who makes them, which there are, and which are to be deleted. */
export function createVideoCopies(db: Kysely<Database>, queue: WriterQueue): ArchiveStore {
  return { ...createReads(db), ...createClaims(queue), ...createWrites(queue) };
}

function createReads(db: Kysely<Database>) {
  return storeReads({
    async copyOf(taskId: string, place: number) {
      const row = await alive(db).where(isAt(taskId, place)).executeTakeFirst();
      return row ? toCopy(row) : null;
    },

    async oldestCopies(storedBefore: number, limit: number) {
      const old = alive(db).where('stored_at', '<', storedBefore).orderBy('stored_at').limit(limit);
      return (await old.execute()).map(toCopy);
    },

    async doomedCopies(limit: number) {
      const rows = await db
        .selectFrom('video_copies')
        .selectAll()
        .where('is_doomed', '=', DOOMED)
        .where(({ eb, exists, not, or, selectFrom }) => {
          const task = selectFrom('tasks').select('id').whereRef('id', '=', 'task_id').where(awaitsCopy);
          return or([eb('stored_at', '>', RESERVED), not(exists(task))]);
        })
        .limit(limit)
        .execute();
      return Promise.all(
        rows.map(toCopy).map(async (copy) => ({ ...copy, isShared: await isShared(db, copy) })),
      );
    },

    storedBytes: () => readStoredBytes(db),
  });
}

/** Bytes of all objects. */
export async function readStoredBytes(db: Kysely<Database>): Promise<number> {
  const counter = db.selectFrom('counters').select('value').where('name', '=', 'archive_bytes');
  return Number((await counter.executeTakeFirst())?.value ?? 0);
}

function createClaims(queue: WriterQueue) {
  return {
    claimCopies: ({ leaseMs, limit, now }) =>
      queue.write(COPIES, async ({ trx, wrote }) => {
        const due = trx
          .selectFrom('tasks')
          .select('id')
          .where(awaitsCopy)
          .where('archive_at', '<=', now)
          .orderBy('archive_at')
          .orderBy('completed_at')
          .limit(limit);
        const rows = await trx
          .updateTable('tasks')
          .set({ archive_at: now + leaseMs })
          .where('id', 'in', due)
          .where('archive_at', '<=', now)
          .returningAll()
          .execute();
        const records = rows.map(toRecord);
        records.forEach(wrote);
        const next = await trx
          .selectFrom('tasks')
          .where(awaitsCopy)
          .select(sql<number | string | null>`min(archive_at)`.as('at'))
          .executeTakeFirst();
        const nextAt = next?.at ?? null;
        return { records, nextAt: nextAt === null ? null : Number(nextAt) };
      }),

    renewCopies: (taskId, until) =>
      queue.write({}, async ({ trx, wrote }) => {
        const claimed = trx.updateTable('tasks').set({ archive_at: until }).where('id', '=', taskId);
        const rows = await claimed.where('archive_at', 'is not', null).returningAll().execute();
        rows.map(toRecord).forEach(wrote);
      }),
  } satisfies Partial<ArchiveStore>;
}

function createWrites(queue: WriterQueue) {
  return {
    reserveObject: ({ bytes, place, sha256, taskId: task_id }) =>
      queue.write(COPIES, async ({ trx }) => {
        const row = await rowOf(trx, task_id, place).executeTakeFirst();
        if (row && Number(row.stored_at) !== RESERVED) return null;
        // An interrupted attempt may have left an object, which must not be forgotten.
        const twin = row
          ? undefined
          : await alive(trx).where('sha256', '=', sha256).limit(1).executeTakeFirst();
        if (twin) return twin.object;
        const object = objectOf({ taskId: task_id, place });
        await trx
          .insertInto('video_copies')
          .values({ task_id, place, object, sha256, bytes, stored_at: RESERVED, is_doomed: 1 })
          .onConflict((conflict) => conflict.columns(['task_id', 'place']).doUpdateSet({ sha256, bytes }))
          .execute();
        await countBytes(trx, bytes - Number(row?.bytes ?? 0));
        return object;
      }),

    saveCopy: (next, copy) =>
      queue.write({ ...COPIES, revision: true }, async (context) => {
        const { trx } = context;
        const { bytes, object, place, sha256, storedAt: stored_at, taskId: task_id } = copy;
        const isOwn = object === objectOf(copy);
        const reserved = rowOf(trx, task_id, place)
          .where('stored_at', '=', RESERVED)
          .where('sha256', '=', sha256);
        if (!(isOwn ? await reserved.executeTakeFirst() : await isAlive(trx, copy))) return null;
        const saved = await saveRecord(context, next);
        if (!saved) return null;
        const row = { task_id, place, object, sha256, bytes, stored_at, is_doomed: 0 };
        const copies = trx.updateTable('video_copies').set(row);
        if (isOwn) await copies.where(isAt(task_id, place)).execute();
        else await trx.insertInto('video_copies').values(row).execute();
        return saved;
      }),

    dropCopy: (next, place) =>
      queue.write({ revision: true }, async (context) => {
        const saved = await saveRecord(context, next);
        if (saved) await doom(context.trx, next.id, place);
        return saved;
      }),

    doomCopy: ({ place, taskId }) =>
      queue.write(COPIES, async ({ trx }) => {
        await doom(trx, taskId, place);
      }),

    forgetCopy: (copy) =>
      queue.write(COPIES, async ({ trx }) => {
        const hasOthers = await isShared(trx, copy);
        // The other copies in the object may have been forgotten since `copy` was read.
        if (copy.isShared && !hasOthers) return;
        const { numDeletedRows } = await trx
          .deleteFrom('video_copies')
          .where(isAt(copy.taskId, copy.place))
          .where('is_doomed', '=', DOOMED)
          .executeTakeFirst();
        if (numDeletedRows > 0n && !hasOthers) await countBytes(trx, -copy.bytes);
      }),
  } satisfies Partial<ArchiveStore>;
}

/** Copies that are to stay. */
export function alive(db: Kysely<Database>) {
  return db.selectFrom('video_copies').selectAll().where('is_doomed', '=', ALIVE);
}

/** The row of one video. */
function isAt(taskId: string, place: number) {
  return (eb: ExpressionBuilder<Database, 'video_copies'>) => eb.and({ task_id: taskId, place });
}

function rowOf(db: Kysely<Database>, taskId: string, place: number) {
  return db.selectFrom('video_copies').selectAll().where(isAt(taskId, place));
}

async function doom(db: Kysely<Database>, taskId: string, place: number): Promise<void> {
  await db.updateTable('video_copies').set({ is_doomed: 1 }).where(isAt(taskId, place)).execute();
}

/** The object of a copy has copies that stay. */
async function isAlive(db: Kysely<Database>, { object, sha256 }: StoredCopy): Promise<boolean> {
  // By hash: an object may have any number of copies to be deleted.
  const copies = alive(db).where('sha256', '=', sha256).where('object', '=', object);
  return (await copies.limit(1).executeTakeFirst()) !== undefined;
}

/** Other copies in the same object, those to be deleted included. */
function others(db: Kysely<Database>, { object, place, taskId }: StoredCopy) {
  return db
    .selectFrom('video_copies')
    .select('task_id')
    .where('object', '=', object)
    .where((eb) => eb.not(isAt(taskId, place)(eb)));
}

async function isShared(db: Kysely<Database>, copy: StoredCopy): Promise<boolean> {
  return (await others(db, copy).limit(1).executeTakeFirst()) !== undefined;
}

async function countBytes(db: Kysely<Database>, bytes: number): Promise<void> {
  const counter = db.updateTable('counters').where('name', '=', 'archive_bytes');
  await counter.set(({ eb }) => ({ value: eb('value', '+', bytes) })).execute();
}

export function toCopy(row: Selectable<VideoCopyTable>): StoredCopy {
  const { bytes, object, place, sha256, stored_at, task_id: taskId } = row;
  return { taskId, place, object, sha256, bytes: Number(bytes), storedAt: Number(stored_at) };
}

/** What is stored and what is still to be copied, of all owners. */
export interface ArchiveOverview {
  readonly bytes: number;
  /** Tasks with videos to copy. */
  readonly pending: number;
  /** When the oldest of them succeeded, in ms since the epoch. */
  readonly oldestAt: number | null;
  /** An estimate: of videos to copy of tasks that succeeded before `riskBefore`. */
  readonly atRiskBytes: number;
}

/** The mean size is taken from so many of the newest copies. */
const MEAN_OF = 100;
/** Before there is a copy. */
const ASSUMED_BYTES = 10 * 1024 * 1024;

export async function readArchiveOverview(
  db: Kysely<Database>,
  riskBefore: number,
): Promise<ArchiveOverview> {
  const newest = alive(db).orderBy('stored_at', 'desc').limit(MEAN_OF).as('newest');
  const [mean] = await db
    .selectFrom(newest)
    .select(sql<Value>`avg(bytes)`.as('bytes'))
    .execute();
  const [pending] = await db
    .selectFrom('tasks')
    .where(awaitsCopy)
    .select(({ fn }) => [
      fn.countAll<number | string>().as('count'),
      sql<Value>`min(completed_at)`.as('oldest_at'),
      sql<Value>`sum(case when completed_at < ${riskBefore} then 1 else 0 end)`.as('at_risk'),
    ])
    .execute();
  const oldestAt = pending?.oldest_at ?? null;
  return {
    bytes: await readStoredBytes(db),
    pending: Number(pending?.count),
    oldestAt: oldestAt === null ? null : Number(oldestAt),
    atRiskBytes: Math.round(Number(pending?.at_risk ?? 0) * Number(mean?.bytes ?? ASSUMED_BYTES)),
  };
}

type Value = number | string | null;
