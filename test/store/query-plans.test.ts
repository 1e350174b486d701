import { Client } from 'pg';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openConnections, type StoreLocation } from '../../src/store/open-connections.ts';
import { readOverview } from '../../src/store/stats.ts';
import { StatementCache, DatabaseSync, type SqliteDatabase } from '../../src/store/sqlite/driver.ts';
import { createTaskStore } from '../../src/store/store.ts';
import { readChanges } from '../../src/store/reads.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd, recordFailure } from '../kit/waits.ts';
import { emptyDatabase } from '../kit/store.ts';
import { EXERCISES } from './every-statement.ts';
import { FILL, HISTORY } from './filled-store.ts';
import { NOW } from './records.ts';

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The first of each text that a database was given. */
type Recorded = Map<string, Statement>;

const onError = (error: unknown): void => {
  recordFailure(String(error));
};

/** Fills a store, calls everything that it offers, and returns every statement that its database was given. */
async function record(
  location: StoreLocation,
  recorded: Recorded,
  fill: (statement: string) => Promise<unknown>,
): Promise<void> {
  const connections = await openConnections(location, { mayMigrate: true, onError });
  const store = createTaskStore(connections, {
    audience: { publish: () => undefined, size: () => 1, restart: () => undefined },
    onError,
  });
  onTestEnd(() => store.close());
  for (const statement of FILL) await fill(statement);
  recorded.clear();
  expect(Object.keys(store).sort()).toEqual(Object.keys(EXERCISES).sort());
  for (const [name, exercise] of Object.entries(EXERCISES))
    // Only for a process that has the store for itself.
    if (name !== 'takeOver' || connections.isExclusive) await exercise(store);
  await readOverview(connections.reader, { create: NOW - 10_000, query: NOW - 1000 });
  await readChanges(connections.reader)(HISTORY, 100);
}

/** Those that read or write tables. */
function queries(recorded: Recorded): readonly Statement[] {
  const all = [...recorded.values()].filter(({ text }) =>
    /^(select|insert|update|delete|with)\b.*"/is.test(text),
  );
  expect(all.length).toBeGreaterThan(35);
  return all;
}

/** Records what SQLite is asked to run. */
function spyOnSqlite(): Recorded {
  const recorded: Recorded = new Map();
  const { prepare } = StatementCache.prototype;
  const spy = vi.spyOn(StatementCache.prototype, 'prepare').mockImplementation(function (
    this: StatementCache,
    text,
  ) {
    const statement = prepare.call(this, text);
    const note = (values: readonly unknown[]): readonly unknown[] => {
      if (!recorded.has(text)) recorded.set(text, { text, values });
      return values;
    };
    return {
      ...statement,
      all: (values) => statement.all(note(values)),
      run: (values) => statement.run(note(values)),
    };
  });
  onTestEnd(() => {
    spy.mockRestore();
  });
  return recorded;
}

/** Records what `pg` is asked to run. */
function spyOnPostgres(): Recorded {
  const recorded: Recorded = new Map();
  const query: unknown = Client.prototype.query;
  const spy = vi.spyOn(Client.prototype, 'query').mockImplementation(function (
    this: Client,
    ...args: unknown[]
  ) {
    const [text, values] = args;
    if (typeof text === 'string' && Array.isArray(values) && !recorded.has(text))
      recorded.set(text, { text, values });
    return Reflect.apply(query as (...args: unknown[]) => unknown, this, args);
  });
  onTestEnd(() => {
    spy.mockRestore();
  });
  return recorded;
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
  /^tasks INDEX tasks_done$/,
  /^tasks INDEX tasks_(done|failed) \(completed_at<\?\)$/,
  /^slots (COVERING )?INDEX slots_window \(kind=\? AND taken_at[<>]\?\)$/,
  /^slots COVERING INDEX slots_by_owner \(kind=\? AND owner=\?\)$/,
  // The newest slot of a kind. There are some thousand at most: a sweep deletes those older than ten minutes.
  /^slots COVERING INDEX slots_window \(kind=\?\)$/,
  /^uploads INDEX \w+ \((owner=\? AND hash=\?|url=\?|expires_at<\?)\)$/,
  // Tasks that have not ended.
  /^tasks INDEX tasks_waiting$/,
  /^tasks INDEX tasks_due \(next_check_at[<>]\?\)$/,
];

/** Right only for those who ask for what is newer: `revision is not null` looks the same, and reads everything. */
const BY_REVISION =
  /^tasks INDEX (tasks_by_revision \(owner=\? AND revision>\?\)|sqlite_autoindex_tasks_2 \(revision>\?\))$/;

/** What SQLite would do with tables that grow beyond what is bounded. */
function unboundedReads(database: SqliteDatabase, statements: readonly Statement[]): string[] {
  return statements.flatMap(({ text, values }) => {
    const plan = database.prepare(`explain query plan ${text}`).all(...values) as { detail: string }[];
    return plan
      .flatMap(({ detail }) => /^(?:SCAN|SEARCH) ((?:tasks|slots|uploads)\b.*)$/.exec(detail)?.slice(1) ?? [])
      .map((way) => way.replace('USING ', ''))
      .filter((way) => !BOUNDED.some((bounded) => bounded.test(way)))
      .filter((way) => !(BY_REVISION.test(way) && text.includes('"revision" > ?')))
      .map((way) => `${way}: ${text}`);
  });
}

it('SQLite reads few rows for every statement of the store, with and without statistics', async () => {
  const dataDir = await quickDir();
  const path = join(dataDir, 'kineograph.db');
  const recorded = spyOnSqlite();
  await record({ kind: 'sqlite', dataDir }, recorded, (statement) => {
    runOn(path, statement);
    return Promise.resolve();
  });
  const statements = queries(recorded);
  // However many states are asked for.
  expect(statements.filter(({ text }) => text.includes('union all'))).toHaveLength(1);
  // Twice opened: statistics are read with the schema.
  for (const prepare of ['select 1', 'analyze']) {
    runOn(path, prepare);
    const database = new DatabaseSync(path);
    expect(unboundedReads(database, statements)).toEqual([]);
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
  const recorded = spyOnPostgres();
  const client = new Client({ connectionString: location.url });
  await client.connect();
  onTestEnd(() => client.end());
  await record(location, recorded, (statement) => client.query(statement));
  // As after a restore. The next start collects what is missing.
  await client.query('delete from pg_statistic where starelid >= 16384');
  await (await openConnections(location, { mayMigrate: true, onError })).close();
  expect(await longReads(client, queries(recorded))).toEqual([]);
});
