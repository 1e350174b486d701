import { join } from 'node:path';
import { Client } from 'pg';
import { expect, it, vi } from 'vitest';
import { DEFAULT_MODEL } from '../../src/models/index.ts';
import { objectOf, type ArchiveStore } from '../../src/archive/archive-store.ts';
import type { UploadStore } from '../../src/images/upload.ts';
import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import { readChanges } from '../../src/store/reads.ts';
import { DatabaseSync, StatementCache, type SqliteDatabase } from '../../src/store/sqlite/driver.ts';
import { toRow } from '../../src/store/record.ts';
import { readOverview } from '../../src/store/stats.ts';
import { createTaskStore } from '../../src/store/store.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { TASK_STATES } from '../../src/tasks/task.ts';
import { quickDir } from '../kit/gateway.ts';
import { emptyDatabase } from '../kit/store.ts';
import { onTestEnd } from '../kit/waits.ts';
import { NOW, PROVIDER, claimDue, claimSubmissions, hiddenTask, upload } from './records.ts';
import { report } from './stores.ts';

/** How long the history of one owner is. */
const HISTORY = 20_000;

const MODEL = DEFAULT_MODEL.name;

/** `count` rows; the expressions may use `i`. The same SQL for both databases. */
function insertMany(table: string, count: number, row: Readonly<Record<string, string>>): string {
  return `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
    insert into ${table} (${Object.keys(row).join()}) select ${Object.values(row).join()} from n`;
}

function tasks(count: number, name: string, row: Readonly<Record<string, string>>): string {
  const fields = toRow(hiddenTask({ submitLeaseBy: null, submitLeaseUntil: null }));
  const values: Record<string, string> = {};
  for (const [column, value] of Object.entries(fields as Record<string, unknown>))
    values[column] = typeof value === 'string' ? `'${value}'` : String(value);
  const times = `${NOW} - i * 1000`;
  const own = { id: `'${name}-' || i`, created_at: times, updated_at: times };
  const key = { idempotency_key: `'${name}-key-' || i` };
  return insertMany('tasks', count, { ...values, ...own, ...key, ...row });
}

/** One owner with almost all there is, as after years of work. */
const FILL: readonly string[] = [
  tasks(HISTORY, 'done', {
    state: "case when i % 10 = 0 then 'FAIL' else 'SUCCESS' end",
    revision: 'i',
    provider_task_id: "'kie-' || i",
    completed_at: `${NOW} - i * 1000`,
    marked_at: `${NOW} - i * 1000`,
  }),
  tasks(200, 'busy', {
    state: "case when i % 2 = 0 then 'WAITING' else 'GENERATING' end",
    revision: `${HISTORY} + i`,
    provider_task_id: "'busy-kie-' || i",
    marked_at: `${NOW}`,
    next_check_at: `${NOW} + i`,
  }),
  // Refused within a day: hidden, and not deleted yet.
  tasks(5000, 'refused', {
    idempotency_key: 'null',
    marked_at: `${NOW}`,
    refusal: `'{"code":"SERVER_ERROR","providerCode":"500","message":"no"}'`,
  }),
  tasks(20, 'waiting', { owner: "'owner-' || i", revision: `${2 * HISTORY} + i` }),
  insertMany('slots', HISTORY, {
    kind: "case when i % 5 = 0 then 'create' else 'query' end",
    owner: "'ann'",
    taken_at: `${NOW} - i * 30`,
  }),
  insertMany('uploads', HISTORY, {
    owner: "'ann'",
    hash: "'hash-' || i",
    url: "'https://files.example/' || i",
    content_type: "'image/png'",
    width: '400',
    height: '400',
    bytes: '1000',
    expires_at: `${NOW} + i * 1000`,
  }),
  // Half of them share one object, as all copies of the sandbox do; every hundredth is to be deleted.
  insertMany('video_copies', HISTORY, {
    task_id: "'done-' || i",
    place: '0',
    object: "case when i % 2 = 0 then 'done-2-0' else 'done-' || i || '-0' end",
    sha256: "case when i % 2 = 0 then 'hash-2' else 'hash-' || i end",
    bytes: '1000',
    stored_at: `${NOW} - i * 1000`,
    is_doomed: 'case when i % 100 = 0 then 1 else 0 end',
  }),
  `update counters set value = ${3 * HISTORY} where name = 'revision'`,
];

type Store = TaskStore & UploadStore & ArchiveStore;

async function found(store: Store, id = 'done-1') {
  const task = await store.get(id);
  if (!task) throw new Error('the store is not filled');
  return task;
}

/** A copy that the store has. */
async function copyOf(store: Store, id: string) {
  const copy = await store.copyOf(id, 0);
  if (!copy) throw new Error('the store is not filled');
  return copy;
}

/** Every method of the store, called in every way that makes another statement. The type asks for new ones. */
const EXERCISES: Readonly<Record<keyof Store, (store: Store) => Promise<unknown>>> = {
  async insert(store) {
    const fresh = hiddenTask({ id: 'fresh', idempotencyKey: 'fresh' });
    await store.insert(hiddenTask({ id: 'new' }));
    await store.insert({ ...fresh, idempotencyKey: 'done-key-1' });
    await store.insert({ ...fresh, id: 'done-1', idempotencyKey: null });
    await store.insert(fresh, [{ limit: 100, windowMs: 86_400_000 }]);
  },
  get: found,
  getByKey: (store) => store.getByKey('ann', 'done-key-7'),
  save: async (store) => store.save(await found(store)),
  amend: async (store) => store.amend(await found(store)),
  async find(store) {
    for (const owner of ['ann', 'bob'])
      for (const id of ['done-5', 'kie-5', 'nope']) await store.find(owner, id);
  },
  async page(store) {
    for (const states of [[], ...TASK_STATES.map((state) => [state]), TASK_STATES])
      for (const below of [null, { createdAt: NOW - 10_000_000, id: 'done-10000' }])
        await store.page('ann', { limit: 101, below, states });
  },
  changesAfter: (store) => store.changesAfter('ann', HISTORY, 100),
  newestRevision: (store) => store.newestRevision(),
  async claimSubmissions(store) {
    for (let time = 0; time < 2; time += 1) await claimSubmissions(store, { attempt: 'one', limit: 300 });
  },
  waitingByOwner: (store) => store.waitingByOwner(),
  async holderOf(store) {
    for (const id of ['kie-5', 'nope']) await store.holderOf(id);
  },
  queue: (store) => store.queue(NOW),
  newestSuccesses: (store) => store.newestSuccesses(MODEL, '6/P1080/', 50),
  newestOutcomes: (store) => store.newestOutcomes(MODEL, 0, 50),
  claimDue: (store) => claimDue(store, NOW + 50, 40),
  takeOver: (store) => store.takeOver(NOW),
  clockWentBack: (store) => store.clockWentBack(NOW),
  sweepOrphans: (store) => store.sweepOrphans(NOW),
  sweep: (store) => store.sweep({ refusedBefore: NOW - 4_990_000, slotsBefore: NOW - 599_000, now: NOW }),
  sweepEnded: (store) => store.sweepEnded({ endedBefore: NOW - 19_900_000, limit: 10 }),
  follow: (store) => store.follow(),
  secret: (store) => store.secret('callback'),
  writeLag: (store) => Promise.resolve(store.writeLag()),
  ping: (store) => store.ping(),
  findUpload: (store) => store.findUpload('ann', 'hash-5', NOW),
  uploadAt: (store) => store.uploadAt('https://files.example/5', NOW),
  saveUpload: (store) => store.saveUpload('ann', upload({ hash: 'hash-5' })),
  claimCopies: (store) => store.claimCopies({ now: NOW, leaseMs: 60_000, limit: 2 }),
  renewCopies: (store) => store.renewCopies('done-20000', NOW + 60_000),
  async reserveObject(store) {
    for (const sha256 of ['hash-2', 'hash of none'])
      await store.reserveObject({ taskId: 'done-7', place: 1, sha256, bytes: 1000 });
  },
  copyOf: (store) => copyOf(store, 'done-5'),
  async saveCopy(store) {
    const [shared, own] = [await copyOf(store, 'done-8'), { taskId: 'done-7', place: 1 }];
    const reserved = { ...shared, ...own, object: objectOf(own), sha256: 'hash of none' };
    await store.saveCopy(await found(store, 'done-7'), reserved);
    const copy = { ...shared, ...own, place: 2 };
    await store.saveCopy(await found(store, 'done-7'), copy);
    // So that its insertion can be explained.
    await store.doomCopy(copy);
    await store.forgetCopy({ ...copy, isShared: true });
  },
  doomCopy: async (store) => {
    const [copy] = await store.oldestCopies(NOW, 1);
    if (copy) await store.doomCopy(copy);
  },
  dropCopy: async (store) => store.dropCopy(await found(store, 'done-9'), 0),
  oldestCopies: (store) => store.oldestCopies(NOW - 10_000_000, 100),
  doomedCopies: (store) => store.doomedCopies(100),
  async forgetCopy(store) {
    for (const copy of (await store.doomedCopies(100)).slice(0, 2)) await store.forgetCopy(copy);
    for (const id of ['done-11', 'done-12'])
      await store.forgetCopy({ ...(await copyOf(store, id)), isShared: false });
  },
  storedBytes: (store) => store.storedBytes(),
  close: () => Promise.resolve(),
};

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Fills a store, calls everything that it offers, and returns every statement on its tables that `method` was given. */
async function record(
  location: StoreLocation,
  driver: object,
  method: string,
  fill: (statement: string) => Promise<unknown>,
): Promise<readonly Statement[]> {
  const connections = await openConnections(location, { mayMigrate: true, onError: report });
  const audience = { publish: () => undefined, size: () => 1, restart: () => undefined };
  const store = createTaskStore(connections, { audience, onError: report });
  onTestEnd(() => store.close());
  for (const statement of FILL) await fill(statement);
  const spy = vi.spyOn(driver as Record<string, (...args: unknown[]) => unknown>, method);
  expect(Object.keys(store).sort()).toEqual(Object.keys(EXERCISES).sort());
  for (const [name, exercise] of Object.entries(EXERCISES))
    // Only for a process that has the store for itself.
    if (name !== 'takeOver' || connections.isExclusive) await exercise(store);
  const since = { create: NOW - 10_000, query: NOW - 1000 };
  await readOverview(connections.reader, { provider: PROVIDER, ...since });
  await readChanges(connections.reader)(HISTORY, 100);
  const statements = new Map<string, Statement>();
  for (const [text, values] of spy.mock.calls)
    if (typeof text === 'string' && /^(select|insert|update|delete|with)\b.*"/is.test(text))
      statements.set(text, { text, values: Array.isArray(values) ? values : [] });
  spy.mockRestore();
  expect(statements.size).toBeGreaterThan(35);
  return [...statements.values()];
}

/**
 * How SQLite may read tables that grow, and why that is few rows. Whatever else it does fails. Before you add a line, think
 * of an owner with a million tasks that have ended.
 */
const BOUNDED: readonly RegExp[] = [
  // One row, or those of one page, of one claim or of one sweep.
  /^tasks (COVERING )?INDEX sqlite_autoindex_tasks_1 \(id=\?\)$/,
  /^tasks INDEX tasks_by_provider_id \(provider_task_id=\?\)$/,
  /^tasks INDEX tasks_idempotency_key \(owner=\? AND idempotency_key=\?\)$/,
  /^tasks COVERING INDEX tasks_by_creation \(owner=\? AND created_at>\? AND created_at<\?\)$/,
  /^tasks INDEX tasks_listed \(<expr>=\? AND state=\? AND \(created_at,id\)<\(\?,\?\)\)$/,
  /^tasks INDEX tasks_marked \(marked_by=\?\)$/,
  /^tasks INDEX tasks_refused \(updated_at<\?\)$/,
  /^tasks INDEX tasks_by_variant \(model=\? AND variant=\?\)$/,
  /^tasks INDEX tasks_by_model \(model=\?( AND completed_at>\?)?\)$/,
  /^tasks INDEX tasks_(done|failed) \(completed_at<\?\)$/,
  /^slots (COVERING )?INDEX slots_window \(kind=\? AND taken_at[<>]\?\)$/,
  /^slots COVERING INDEX slots_by_owner \(kind=\? AND owner=\?\)$/,
  // The newest slot of a kind. There are some thousand at most: a sweep deletes those older than ten minutes.
  /^slots COVERING INDEX slots_window \(kind=\?\)$/,
  /^uploads INDEX \w+ \((owner=\? AND hash=\?|url=\?|expires_at<\?)\)$/,
  // The first that are due, for one claim, and the earliest.
  /^tasks INDEX tasks_to_copy \(archive_at>\? AND archive_at<\?\)$/,
  /^tasks COVERING INDEX tasks_to_copy \(archive_at>\?\)$/,
  /^video_copies INDEX sqlite_autoindex_video_copies_1 \(task_id=\?( AND place=\?)?\)$/,
  /^video_copies INDEX video_copies_by_(hash|object) \((sha256|object)=\?\)$/,
  // One page each.
  /^video_copies INDEX (video_copies_by_age \(stored_at<\?\)|video_copies_doomed)$/,
  // Tasks that have not ended.
  /^tasks INDEX tasks_waiting$/,
  /^tasks INDEX tasks_due \(next_check_at[<>]\?\)$/,
];

/** Right only for those who ask for what is newer: `revision is not null` looks the same, and reads everything. */
const BY_REVISION =
  /^tasks INDEX (tasks_by_revision \(owner=\? AND revision>\?\)|sqlite_autoindex_tasks_2 \(revision>\?\))$/;

/** Read many, but only at the start and after the clock was set back: tasks whose attempt is not due yet. */
const BY_NEXT_COPY = /^tasks INDEX tasks_to_copy \(archive_at>\?\)$/;

/** What SQLite would do with tables that grow beyond what is bounded. */
function unboundedReads(database: SqliteDatabase, statements: readonly Statement[]): string[] {
  return statements.flatMap(({ text }) => {
    // Its planner does not look at values.
    const plan = database.prepare(`explain query plan ${text}`).all() as { detail: string }[];
    return plan
      .flatMap(
        ({ detail }) =>
          /^(?:SCAN|SEARCH) ((?:tasks|slots|uploads|video_copies)\b.*)$/.exec(detail)?.slice(1) ?? [],
      )
      .map((way) => way.replace('USING ', ''))
      .filter((way) => !BOUNDED.some((bounded) => bounded.test(way)))
      .filter((way) => !(BY_NEXT_COPY.test(way) && text.startsWith('update "tasks" set "archive_at" = ?')))
      .filter((way) => !(BY_REVISION.test(way) && text.includes('"revision" > ?')))
      .map((way) => `${way}: ${text}`);
  });
}

it('SQLite reads few rows for every statement of the store, with and without statistics', async () => {
  const dataDir = await quickDir();
  const path = join(dataDir, 'kineograph.db');
  const statements = await record(
    { kind: 'sqlite', dataDir },
    StatementCache.prototype,
    'prepare',
    (statement) =>
      Promise.resolve().then(() => {
        runOn(path, statement);
      }),
  );
  // However many states are asked for.
  expect(statements.filter(({ text }) => text.includes('union all'))).toHaveLength(1);
  const [claim] = statements.filter(({ text }) => text.includes('order by "archive_at", "completed_at"'));
  // Twice opened: statistics are read with the schema.
  for (const prepare of ['select 1', 'analyze']) {
    runOn(path, prepare);
    const database = new DatabaseSync(path);
    expect(unboundedReads(database, statements)).toEqual([]);
    // A claim takes the first of the index: it does not sort all that are due.
    const plan = database.prepare(`explain query plan ${claim?.text}`).all() as { detail: string }[];
    expect(plan.filter(({ detail }) => detail.includes('ORDER BY'))).toEqual([]);
    database.close();
  }
});

function runOn(path: string, statement: string): void {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec(statement);
  database.close();
}

/** A node of what `explain (analyze, format json)` prints. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** How many rows of tables were read in all. */
function rowsRead(node: PlanNode): number {
  const each =
    (node['Actual Rows'] ?? 0) +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0);
  const own = node['Node Type'].includes('Scan') ? each * (node['Actual Loops'] ?? 0) : 0;
  return (node.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), own);
}

/** Two pages of 101 rows, with the rows of their queries counted up to three times. */
const MOST_ROWS = 1000;

/** The statements that read more, with how many rows. */
async function longReads(client: Client, statements: readonly Statement[]): Promise<string[]> {
  const long: string[] = [];
  for (const { text, values } of statements) {
    await client.query('begin');
    const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ readonly Plan: PlanNode }] }>(
      `explain (analyze, format json) ${text}`,
      [...values],
    );
    await client.query('rollback');
    const read = rows[0] ? rowsRead(rows[0]['QUERY PLAN'][0].Plan) : Infinity;
    if (read > MOST_ROWS) long.push(`${read} rows: ${text}`);
  }
  return long;
}

it('PostgreSQL reads few rows for every statement of the store, also where it had no statistics', async () => {
  const location = { kind: 'postgres', url: await emptyDatabase(), readers: 1 } as const;
  const client = new Client({ connectionString: location.url });
  await client.connect();
  onTestEnd(() => client.end());
  await (await openConnections(location, { mayMigrate: true, onError: report })).close();
  // It would analyze a table that is half filled, and its statistics would stand in place of those of the next start.
  for (const table of ['tasks', 'slots', 'uploads', 'video_copies'])
    await client.query(`alter table ${table} set (autovacuum_enabled = off)`);
  const statements = await record(location, Client.prototype, 'query', (text) => client.query(text));
  // As after a restore. The next start collects what is missing.
  await client.query('delete from pg_statistic where starelid >= 16384');
  await (await openConnections(location, { mayMigrate: true, onError: report })).close();
  expect(await longReads(client, statements)).toEqual([]);
});
