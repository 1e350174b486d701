import { randomBytes } from 'node:crypto';
import type { ExpressionBuilder, Insertable, Kysely } from 'kysely';
import type { CreateCap, ReachedCap, TaskStore } from '../tasks/store.ts';
import type { TaskRecord, VisibleRecord } from '../tasks/task.ts';
import type { Database, TaskTable } from './schema.ts';
import { prepared } from './statements.ts';
import { mutableColumns, toRecord, toRow } from './record.ts';
import type { WriteContext, WriterQueue } from './writer-queue.ts';

const update = prepared((db, { id, readVersion, ...columns }: Update) =>
  db.updateTable('tasks').set(columns).where('id', '=', id).where('version', '=', readVersion),
);
const add = prepared((db, row: Insertable<TaskTable>) =>
  db
    .insertInto('tasks')
    .values(row)
    .onConflict((conflict) => conflict.doNothing()),
);

export function createWrites(queue: WriterQueue) {
  function insert(record: TaskRecord): Promise<TaskRecord>;
  function insert(record: TaskRecord, caps: readonly CreateCap[]): Promise<TaskRecord | ReachedCap>;
  function insert(record: TaskRecord, caps: readonly CreateCap[] = []): Promise<TaskRecord | ReachedCap> {
    return queue.write(
      caps.length > 0 ? { lock: 'caps' } : {},
      async (context) => (await reachedCap(context.trx, record, caps)) ?? insertOrFind(context, record),
    );
  }

  return {
    insert,

    save: (next) => queue.write({ revision: true }, (context) => saveRecord(context, next)),

    amend: (next) =>
      queue.write({}, async ({ trx, wrote }) => {
        const written = { ...next, checkLeaseUntil: null, version: next.version + 1 };
        if (!(await compareAndSet(trx, written))) return null;
        wrote(written);
        return written;
      }),

    secret: (name) => queue.write({}, ({ trx }) => secret(trx, name)),
  } satisfies Partial<TaskStore>;
}

/** Writes a record with a new revision, which the write has declared; null after a concurrent write. */
export async function saveRecord(context: WriteContext, next: TaskRecord): Promise<VisibleRecord | null> {
  const revision = context.takeRevision();
  const written = { ...next, checkLeaseUntil: null, revision, version: next.version + 1 };
  if (!(await compareAndSet(context.trx, written))) return null;
  context.publish(written);
  return written;
}

interface Update extends ReturnType<typeof mutableColumns> {
  readonly id: string;
  readonly readVersion: number;
}

/** Returns the exceeded cap that lasts longest, or null. A task that is stored already exceeds none. */
async function reachedCap(
  db: Kysely<Database>,
  record: TaskRecord,
  caps: readonly CreateCap[],
): Promise<ReachedCap | null> {
  const { createdAt, owner } = record;
  const mine = db.selectFrom('tasks').where('owner', '=', owner);
  let reached: ReachedCap | null = null;
  for (const cap of caps) {
    // There is room once this task leaves the window, even if a lowered cap leaves more tasks in it than allowed.
    const last = await mine
      .select('created_at')
      .where('created_at', '>', createdAt - cap.windowMs)
      // Excludes tasks that a clock far ahead created.
      .where('created_at', '<=', createdAt + cap.windowMs)
      .orderBy('created_at', 'desc')
      .limit(1)
      .offset(cap.limit - 1)
      .executeTakeFirst();
    const freeAt = last ? Number(last.created_at) + cap.windowMs : null;
    if (freeAt !== null && freeAt >= (reached?.freeAt ?? 0)) reached = { cap, freeAt };
  }
  if (!reached) return null;
  const stored = db.selectFrom('tasks').select('id').where(isSameOrTwin(record));
  return (await stored.executeTakeFirst()) ? null : reached;
}

/** Matches the task itself, if an earlier try was committed, and its twin. */
function isSameOrTwin({ id, idempotencyKey, owner }: TaskRecord) {
  return ({ and, eb, or }: ExpressionBuilder<Database, 'tasks'>) =>
    or([eb('id', '=', id), and([eb('owner', '=', owner), eb('idempotency_key', '=', idempotencyKey)])]);
}

async function insertOrFind({ trx, wrote }: WriteContext, record: TaskRecord): Promise<TaskRecord> {
  const { numAffectedRows } = await add(trx, toRow(record));
  if (numAffectedRows === 1n) {
    wrote(record);
    return record;
  }
  const stored = await trx
    .selectFrom('tasks')
    .selectAll()
    .where(isSameOrTwin(record))
    .executeTakeFirstOrThrow();
  return toRecord(stored);
}

async function compareAndSet(trx: Kysely<Database>, written: TaskRecord): Promise<boolean> {
  const values = { ...mutableColumns(written), id: written.id, readVersion: written.version - 1 };
  return (await update(trx, values)).numAffectedRows === 1n;
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
