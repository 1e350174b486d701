import type { Kysely } from 'kysely';
import type { StoredCopy } from '../archive/archive-store.ts';
import type { Database } from './schema.ts';
import { toRecord } from './record.ts';
import { alive, toCopy } from './video-copies.ts';

/** A copy, and what its task says. */
export interface RecordedCopy extends StoredCopy {
  /** The hash in the task; null if the task does not have this video as stored. */
  readonly taskSha256: string | null;
  readonly hasTask: boolean;
}

const PAGE = 200;

/** All copies that are to stay, in pages, those in the same object one after the other. */
export async function* recordedCopies(db: Kysely<Database>): AsyncGenerator<RecordedCopy> {
  let after = { object: '', task_id: '', place: -1 };
  for (;;) {
    const rows = await alive(db)
      .where(({ eb, refTuple, tuple }) =>
        eb(refTuple('object', 'task_id', 'place'), '>', tuple(after.object, after.task_id, after.place)),
      )
      .orderBy('object')
      .orderBy('task_id')
      .orderBy('place')
      .limit(PAGE)
      .execute();
    const tasks = await tasksOf(
      db,
      rows.map(({ task_id }) => task_id),
    );
    for (const stored of rows.map(toCopy)) {
      const task = tasks.get(stored.taskId);
      const copy = task?.videos[stored.place]?.copy;
      const taskSha256 = copy?.state === 'STORED' ? copy.sha256 : null;
      yield { ...stored, taskSha256, hasTask: task !== undefined };
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last;
  }
}

async function tasksOf(db: Kysely<Database>, ids: readonly string[]) {
  if (ids.length === 0) return new Map<string, ReturnType<typeof toRecord>>();
  const rows = await db.selectFrom('tasks').selectAll().where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, toRecord(row)]));
}

/** Whether a copy is still to stay. */
export async function isRecorded(
  db: Kysely<Database>,
  { place, taskId }: Pick<StoredCopy, 'taskId' | 'place'>,
): Promise<boolean> {
  const copies = alive(db).where('task_id', '=', taskId).where('place', '=', place);
  return (await copies.executeTakeFirst()) !== undefined;
}

/** The ids of tasks with lost videos, in order, after one of them. Reads all tasks. */
export async function tasksWithLostVideos(
  db: Kysely<Database>,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('tasks')
    .select('id')
    .where('id', '>', after)
    .where('state', '=', 'SUCCESS')
    // JSON escapes quotes in strings, so no URL and no reason contains this.
    .where('videos', 'like', '%"state":"LOST"%')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
