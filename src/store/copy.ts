import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Connections } from './connections.ts';
import type { Database } from './schema.ts';
import { readNewestRevision } from './reads.ts';
import { toRecord, toRow } from './record.ts';

const PAGE = 500;

/** What was copied, and found equal on both sides. */
export interface Copied {
  readonly tasks: number;
  readonly newestRevision: number;
}

/**
 * Copies all that a store knows into an empty one, in one transaction, and compares both sides by count and content before
 * it is committed. Nothing may write to either meanwhile. Throws, with the target as it was, when that is not empty or
 * the sides differ.
 */
export async function copyStore(from: Connections, to: Connections): Promise<Copied> {
  return to.writer.transaction().execute(async (trx) => {
    await assertEmpty(trx);
    await copyTasks(from.reader, trx);
    await copySlots(from.reader, trx);
    await copySecrets(from.reader, trx);
    await copyUploads(from.reader, trx);
    const newestRevision = await copyCounter(from.reader, trx);
    const [source, target] = [await fingerprint(from.reader), await fingerprint(trx)];
    if (source.tasks !== target.tasks || source.digest !== target.digest)
      throw new Error(
        `The copy differs from its source (${target.tasks} of ${source.tasks} tasks); nothing was kept. Is a gateway still running?`,
      );
    return { tasks: source.tasks, newestRevision };
  });
}

async function assertEmpty(trx: Transaction<Database>): Promise<void> {
  const task = await trx.selectFrom('tasks').select('id').limit(1).executeTakeFirst();
  const revision = await readNewestRevision(trx);
  if (task !== undefined || revision > 0)
    throw new Error('The target database already has tasks. Use an empty one.');
}

async function copyTasks(from: Kysely<Database>, to: Kysely<Database>): Promise<void> {
  for await (const rows of pagesOf(from)) {
    const copies = rows.map((row) => ({ ...toRow(toRecord(row)), marked_by: row.marked_by }));
    await to.insertInto('tasks').values(copies).execute();
  }
}

async function copySlots(from: Kysely<Database>, to: Kysely<Database>): Promise<void> {
  for (const page of inPages(await readSlots(from))) await to.insertInto('slots').values(page).execute();
}

function* inPages<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += PAGE) yield rows.slice(at, at + PAGE);
}

async function readSlots(db: Kysely<Database>) {
  const rows = await db.selectFrom('slots').select(['kind', 'owner', 'taken_at']).orderBy('id').execute();
  return rows.map((row) => ({ ...row, taken_at: Number(row.taken_at) }));
}

/** The secret of callback addresses among them: callbacks of tasks under way keep their tokens. */
async function copySecrets(from: Kysely<Database>, to: Kysely<Database>): Promise<void> {
  const rows = await readSecrets(from);
  await to.deleteFrom('secrets').execute();
  if (rows.length > 0) await to.insertInto('secrets').values(rows).execute();
}

async function readSecrets(db: Kysely<Database>) {
  return db.selectFrom('secrets').select(['name', 'value']).orderBy('name').execute();
}

async function copyUploads(from: Kysely<Database>, to: Kysely<Database>): Promise<void> {
  for (const page of inPages(await readUploads(from))) await to.insertInto('uploads').values(page).execute();
}

async function readUploads(db: Kysely<Database>) {
  const rows = await db.selectFrom('uploads').selectAll().execute();
  return rows
    .map((row) => ({ ...row, expires_at: Number(row.expires_at) }))
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

/** Compared here, since databases order text in ways of their own. */
function nameOf({ hash, owner }: { readonly hash: string; readonly owner: string }): string {
  return JSON.stringify([owner, hash]);
}

async function copyCounter(from: Kysely<Database>, to: Kysely<Database>): Promise<number> {
  const value = await readNewestRevision(from);
  await to.updateTable('counters').set({ value }).where('name', '=', 'revision').execute();
  return value;
}

async function fingerprint(
  db: Kysely<Database>,
): Promise<{ readonly tasks: number; readonly digest: string }> {
  const hash = createHash('sha256');
  let tasks = 0;
  for await (const rows of pagesOf(db)) {
    tasks += rows.length;
    // As records: what a driver gives as number and what as text differs.
    for (const row of rows) hash.update(JSON.stringify([toRecord(row), row.marked_by]));
  }
  hash.update(JSON.stringify([await readSlots(db), await readSecrets(db), await readUploads(db)]));
  hash.update(String(await readNewestRevision(db)));
  return { tasks, digest: hash.digest('hex') };
}

/** All tasks in the order of their ids, which are compared by bytes everywhere. */
async function* pagesOf(db: Kysely<Database>) {
  let after = '';
  for (;;) {
    const page = db.selectFrom('tasks').selectAll().where('id', '>', after).orderBy('id').limit(PAGE);
    const rows = await page.execute();
    if (rows.length === 0) return;
    yield rows;
    after = rows.at(-1)?.id ?? after;
  }
}
