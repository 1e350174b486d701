import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Connections } from './connections.ts';
import type { Database } from './schema.ts';
import { readNewestRevision } from './reads.ts';
import { toRecord, toRow } from './record.ts';
import { readStoredBytes } from './video-copies.ts';

const PAGE = 500;

interface Copied {
  readonly tasks: number;
  readonly newestRevision: number;
}

/**
 * Copies a store into an empty one in one transaction, and compares both sides by count and content before the commit.
 * Nothing may write to either store meanwhile. Throws and leaves the target unchanged if it is not empty or the sides differ.
 */
export async function copyStore(from: Connections, to: Connections): Promise<Copied> {
  return to.writer.transaction().execute(async (trx) => {
    await assertEmpty(trx);
    await copyRows(from.reader, trx);
    const [source, target] = [await fingerprint(from.reader), await fingerprint(trx)];
    if (source.tasks !== target.tasks || source.digest !== target.digest)
      throw new Error(
        `The copy differs from its source (${target.tasks} of ${source.tasks} tasks); nothing was kept. Is a gateway still running?`,
      );
    return { tasks: source.tasks, newestRevision: await readNewestRevision(trx) };
  });
}

async function assertEmpty(trx: Transaction<Database>): Promise<void> {
  const task = await trx.selectFrom('tasks').select('id').limit(1).executeTakeFirst();
  const revision = await readNewestRevision(trx);
  if (task !== undefined || revision > 0)
    throw new Error('The target database already has tasks. Use an empty one.');
}

async function copyRows(from: Kysely<Database>, to: Kysely<Database>): Promise<void> {
  for await (const rows of taskPages(from)) {
    const copies = rows.map((row) => ({ ...toRow(toRecord(row)), marked_by: row.marked_by }));
    await to.insertInto('tasks').values(copies).execute();
  }
  for await (const rows of videoCopyPages(from)) await to.insertInto('video_copies').values(rows).execute();
  const { archiveBytes, secrets, slots, uploads } = await readOtherRows(from);
  for (const page of inPages(slots)) await to.insertInto('slots').values(page).execute();
  for (const page of inPages(uploads)) await to.insertInto('uploads').values(page).execute();
  // The target's own secrets go, so that callback URLs of unfinished tasks stay valid.
  await to.deleteFrom('secrets').execute();
  for (const page of inPages(secrets)) await to.insertInto('secrets').values(page).execute();
  const value = await readNewestRevision(from);
  await to.updateTable('counters').set({ value }).where('name', '=', 'revision').execute();
  const bytes = to.updateTable('counters').set({ value: archiveBytes });
  await bytes.where('name', '=', 'archive_bytes').execute();
}

function* inPages<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += PAGE) yield rows.slice(at, at + PAGE);
}

/** The rows of the other small tables, with numbers as numbers and in the same order on both databases. */
async function readOtherRows(db: Kysely<Database>) {
  const slots = await db
    .selectFrom('slots')
    .select(['kind', 'provider', 'owner', 'taken_at'])
    .orderBy('id')
    .execute();
  const secrets = await db.selectFrom('secrets').select(['name', 'value']).orderBy('name').execute();
  const uploads = await db.selectFrom('uploads').selectAll().execute();
  return {
    archiveBytes: await readStoredBytes(db),
    slots: slots.map((row) => ({ ...row, taken_at: Number(row.taken_at) })),
    secrets,
    // Sorted here, because databases collate text differently.
    uploads: uploads
      .map((row) => ({ ...row, expires_at: Number(row.expires_at) }))
      .sort((one, other) => (uploadKey(one) < uploadKey(other) ? -1 : 1)),
  };
}

function uploadKey({ hash, owner }: { readonly hash: string; readonly owner: string }): string {
  return JSON.stringify([owner, hash]);
}

async function fingerprint(
  db: Kysely<Database>,
): Promise<{ readonly tasks: number; readonly digest: string }> {
  const hash = createHash('sha256');
  let tasks = 0;
  for await (const rows of taskPages(db)) {
    tasks += rows.length;
    // Hashed as records, because drivers differ in which columns are numbers and which are text. Leases are not copied.
    for (const row of rows)
      hash.update(JSON.stringify([{ ...toRecord(row), checkLeaseUntil: null }, row.marked_by]));
  }
  for await (const rows of videoCopyPages(db)) hash.update(JSON.stringify(rows));
  hash.update(JSON.stringify([await readOtherRows(db), await readNewestRevision(db)]));
  return { tasks, digest: hash.digest('hex') };
}

/** All tasks in the order of their ids, which both databases compare bytewise. */
async function* taskPages(db: Kysely<Database>) {
  let after = '';
  for (;;) {
    const page = db.selectFrom('tasks').selectAll().where('id', '>', after).orderBy('id').limit(PAGE);
    const rows = await page.execute();
    if (rows.length === 0) return;
    yield rows;
    after = rows.at(-1)?.id ?? after;
  }
}

/** All copies of videos in the order of their keys, with numbers as numbers. */
async function* videoCopyPages(db: Kysely<Database>) {
  let last = { task_id: '', place: 0 };
  for (;;) {
    const rows = await db
      .selectFrom('video_copies')
      .selectAll()
      .where(({ eb, refTuple, tuple }) =>
        eb(refTuple('task_id', 'place'), '>', tuple(last.task_id, last.place)),
      )
      .orderBy('task_id')
      .orderBy('place')
      .limit(PAGE)
      .execute();
    const end = rows.at(-1);
    if (!end) return;
    yield rows.map((row) => ({ ...row, bytes: Number(row.bytes), stored_at: Number(row.stored_at) }));
    last = end;
  }
}
