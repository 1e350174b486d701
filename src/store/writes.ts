import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { CreateCap, ReachedCap, TaskStore } from '../tasks/store.ts';
import type { TaskRecord } from '../tasks/task.ts';
import type { Database } from './database.ts';
import { mutableColumns, toRecord, toRow } from './record.ts';
import type { WriteContext, WriterQueue } from './writer-queue.ts';

type Writes = Pick<TaskStore, 'insert' | 'save' | 'amend' | 'secret'>;

export function createWrites(queue: WriterQueue): Writes {
  function insert(record: TaskRecord): Promise<TaskRecord>;
  function insert(record: TaskRecord, caps: readonly CreateCap[]): Promise<TaskRecord | ReachedCap>;
  function insert(record: TaskRecord, caps: readonly CreateCap[] = []): Promise<TaskRecord | ReachedCap> {
    return queue.write(
      caps.length > 0 ? { lock: 'caps' } : {},
      async ({ trx }) => (await reachedCap(trx, record, caps)) ?? insertOrFind(trx, record),
    );
  }

  return {
    insert,

    save: (next) =>
      queue.write({ revision: true }, async (context) => {
        const written = { ...next, revision: context.takeRevision(), version: next.version + 1 };
        if (!(await compareAndSet(context, written))) return null;
        context.changed(written);
        return written;
      }),

    amend: (next) =>
      queue.write({}, async (context) => {
        const written = { ...next, version: next.version + 1 };
        return (await compareAndSet(context, written)) ? written : null;
      }),

    secret: (name) => queue.write({}, ({ trx }) => secret(trx, name)),
  };
}

/** The first cap that this task would break; none when it has a key in use, since then nothing is added. */
async function reachedCap(
  db: Kysely<Database>,
  { createdAt, idempotencyKey, owner }: TaskRecord,
  caps: readonly CreateCap[],
): Promise<ReachedCap | null> {
  const mine = db.selectFrom('tasks').where('owner', '=', owner);
  for (const cap of caps) {
    const inWindow = mine.where('created_at', '>', createdAt - cap.windowMs);
    const { count, oldest } = await inWindow
      .select(({ fn }) => [fn.countAll<number | string>().as('count'), fn.min('created_at').as('oldest')])
      .executeTakeFirstOrThrow();
    if (Number(count) < cap.limit) continue;
    const holder = mine.select('id').where('idempotency_key', '=', idempotencyKey);
    if (idempotencyKey !== null && (await holder.executeTakeFirst())) return null;
    return { cap, freeAt: Number(oldest) + cap.windowMs };
  }
  return null;
}

async function insertOrFind(db: Kysely<Database>, record: TaskRecord): Promise<TaskRecord> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('tasks')
    .values(toRow(record))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 1n) return record;
  const holder = await db
    .selectFrom('tasks')
    .selectAll()
    .where(({ and, eb, or }) =>
      or([
        // Its own: an earlier try was committed without our hearing of it.
        eb('id', '=', record.id),
        and([eb('owner', '=', record.owner), eb('idempotency_key', '=', record.idempotencyKey)]),
      ]),
    )
    .executeTakeFirstOrThrow();
  return toRecord(holder);
}

async function compareAndSet({ trx }: WriteContext, written: TaskRecord): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('tasks')
    .set(mutableColumns(written))
    .where('id', '=', written.id)
    .where('version', '=', written.version - 1)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function secret(db: Kysely<Database>, name: string): Promise<Buffer> {
  await db
    .insertInto('secrets')
    .values({ name, value: randomBytes(32).toString('base64') })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { value } = await db
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return Buffer.from(value, 'base64');
}
