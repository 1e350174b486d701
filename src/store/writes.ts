import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { TaskStore } from '../tasks/store.ts';
import type { TaskRecord } from '../tasks/task.ts';
import type { Database } from './database.ts';
import { mutableColumns, toRecord, toRow } from './record.ts';
import type { WriteContext, WriterQueue } from './writer-queue.ts';

type Writes = Pick<TaskStore, 'insert' | 'save' | 'amend' | 'secret'>;

export function createWrites(queue: WriterQueue): Writes {
  return {
    insert: (record) => queue.write(false, ({ trx }) => insert(trx, record)),

    save: (next) =>
      queue.write(true, async (context) => {
        const written = { ...next, revision: context.takeRevision(), version: next.version + 1 };
        if (!(await compareAndSet(context, written))) return null;
        context.changed(written);
        return written;
      }),

    amend: (next) =>
      queue.write(false, async (context) => {
        const written = { ...next, version: next.version + 1 };
        return (await compareAndSet(context, written)) ? written : null;
      }),

    secret: (name) => queue.write(false, ({ trx }) => secret(trx, name)),
  };
}

async function insert(db: Kysely<Database>, record: TaskRecord): Promise<TaskRecord> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('tasks')
    .values(toRow(record))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 1n) return record;
  const holder = await db
    .selectFrom('tasks')
    .selectAll()
    .where('owner', '=', record.owner)
    .where('idempotency_key', '=', record.idempotencyKey)
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
