import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseError, type ClientBase } from 'pg';
import { databaseName, type Connections, type Lock, type StoreListener } from '../connections.ts';
import { type Database, StoreSchemaError } from '../schema.ts';
import {
  POOLED,
  adviceFor,
  reasonOf,
  isDeadlock,
  isOutage,
  createPostgresPool,
  createTimeLimit,
  keepsSession,
} from './pool.ts';
import { listenForCommits, notifyOfCommit } from './listener.ts';

interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with parameters of libpq. */
  readonly url: string;
  /** The same database without a pooler, for LISTEN and migrations; null to use `url`. */
  readonly listenUrl: string | null;
  /** The number of reading connections, beside one writer and one listener. */
  readonly readers: number;
  readonly onError: (error: unknown) => void;
  /** Runs before anything else, to migrate the database. */
  readonly prepare: (db: Kysely<Database>) => Promise<unknown>;
}

/** Covers a restart of the database or a failover. A longer outage is reported to callers. */
const RETRY_POLICY = { totalMs: 3000, pauseMs: 100, isDeadlock, isOutage };
const NO_RETRIES = { ...RETRY_POLICY, totalMs: 0 };

/** How long a close waits for the server, in ms. */
const CLOSE_MS = 2000;
const FAST_CLOSE_MS = 500;

/** The namespace of our advisory locks. They are taken in the order of their numbers, so that processes cannot deadlock. */
const LOCK_SPACE = 0x6b696e65;
const LOCK_NUMBERS: Readonly<Record<Lock, number>> = { submissions: 1, polls: 2, caps: 3, copies: 4 };

/** Connects to a PostgreSQL database, which replicas may share. Rejects with an error that says what to do if it is unusable. */
export async function openPostgres(options: PostgresOptions): Promise<Connections> {
  const { onError, readers, url } = options;
  const sessionUrl = options.listenUrl ?? url;
  await prepareDatabase(sessionUrl, options);
  let listener: StoreListener | null = null;
  const onConnect = createHistoryCheck(() => listener?.rolledBack());
  const limit = createTimeLimit();
  const readerPool = createPostgresPool({ url, size: readers, onError, limit, onConnect });
  // One batch is written at a time.
  const writerPool = createPostgresPool({ url, size: 1, onError, limit, onConnect });
  const reader = new Kysely<Database>({ dialect: new PostgresDialect({ pool: readerPool }) });
  const writer = new Kysely<Database>({ dialect: new PostgresDialect({ pool: writerPool }) });
  let stopListening = (): Promise<void> => Promise.resolve();
  return {
    reader,
    writer,
    isExclusive: false,
    lock: takeLocks,
    notify: notifyOfCommit,
    listen(given) {
      listener = given;
      const isOwn = (pid: number): boolean => writerPool.pids.has(pid);
      stopListening = listenForCommits({ url: sessionUrl, wake: given.wake, isOwn, onError });
    },
    get retryPolicy() {
      return limit.isSet() ? NO_RETRIES : RETRY_POLICY;
    },
    setResponseTimeout: limit.set,
    async close() {
      const closed = Promise.all([stopListening(), reader.destroy(), writer.destroy()]);
      // On a silently cut connection the server never confirms the close.
      await Promise.race([
        closed,
        delay(limit.isSet() ? FAST_CLOSE_MS : CLOSE_MS, undefined, { ref: false }),
      ]);
    },
  };
}

/** Uses its own connection without timeouts: a migration may be slow, and waits for those of other processes. */
async function prepareDatabase(url: string, { onError, prepare }: PostgresOptions): Promise<void> {
  const pool = createPostgresPool({ url, size: 1, onError, hasTimeouts: false });
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  try {
    if (!(await keepsSession(url))) throw new StoreSchemaError(POOLED);
    await prepare(db);
  } catch (error) {
    throw error instanceof StoreSchemaError ? error : unusable(url, error);
  } finally {
    await db.destroy();
  }
}

async function takeLocks(trx: Transaction<Database>, locks: ReadonlySet<Lock>): Promise<void> {
  const numbers = [...locks].map((lock) => LOCK_NUMBERS[lock]).sort((a, b) => a - b);
  for (const number of numbers)
    await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_SPACE)}, ${sql.lit(number)})`.execute(trx);
}

function unusable(url: string, error: unknown): Error {
  return new Error(
    `The database ${databaseName(url)} cannot be used (${reasonOf(error)}). ${adviceFor(error)}`,
    {
      cause: error,
    },
  );
}

/** A promoted standby lacks fewer revisions than this, unless it lagged far behind. */
const REVISION_GAP = 10_000;

/** Cluster, database and timeline. A promoted standby or restored backup starts a new timeline. */
const HISTORY = `
  select concat_ws('/', s.system_identifier, d.oid, left(pg_walfile_name(pg_current_wal_lsn()), 8)) as history
    from pg_control_system() as s, pg_database as d where d.datname = current_database()`;

/**
 * Returns a check to run on each new connection. It detects that another server has taken over (a standby or restored backup),
 * which may lack the last commits, and calls `onRollback` once per takeover.
 */
function createHistoryCheck(onRollback: () => void): (client: ClientBase) => Promise<void> {
  let known: string | null = null;

  return async (client) => {
    const history = await readHistory(client);
    if (history === null || history === known) return;
    // Before subscribers restart: the revisions that they resume from must be valid by then.
    await skipRevisions(client, history);
    const isFirst = known === null;
    const isNews = known !== history;
    known = history;
    if (isNews && !isFirst) onRollback();
  };
}

/** Returns null if it is not readable: on a standby, and on managed services that hide it. */
async function readHistory(client: ClientBase): Promise<string | null> {
  try {
    const { rows } = await client.query<{ history: string }>(HISTORY);
    return rows[0]?.history ?? null;
  } catch (error) {
    if (error instanceof DatabaseError && /^(?:0A|42|55)/.test(error.code ?? '')) return null;
    throw error;
  }
}

/**
 * Skips revisions once per takeover: the new server would assign again revisions that clients already know, and clients would
 * miss those changes. The history is stored in `secrets`, a table that every release has.
 */
async function skipRevisions(client: ClientBase, history: string): Promise<void> {
  const { rows } = await client.query<{ value: string }>("select value from secrets where name = 'history'");
  const [row] = rows;
  if (row?.value === history) return;
  if (row === undefined)
    await client.query(
      "insert into secrets (name, value) values ('history', $1) on conflict (name) do nothing",
      [history],
    );
  else
    await client.query(
      `with changed as (update secrets set value = $1 where name = 'history' and value = $2 returning 1)
         update counters set value = value + ${REVISION_GAP} where name = 'revision' and exists (select from changed)`,
      [history, row.value],
    );
}
