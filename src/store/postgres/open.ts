import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { databaseName, type Connections, type Lock, type StoreListener } from '../connections.ts';
import { type Database, StoreSchemaError } from '../schema.ts';
import {
  POOLED,
  adviceFor,
  reasonOf,
  isOutage,
  createPostgresPool,
  createTimeLimit,
  keepsSession,
} from './pool.ts';
import { createHistoryCheck } from './history.ts';
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
const RETRY_POLICY = { totalMs: 3000, pauseMs: 100, isOutage };
const NO_RETRIES = { ...RETRY_POLICY, totalMs: 0 };

/** How long a close waits for the server, in ms. */
const CLOSE_MS = 2000;
const FAST_CLOSE_MS = 500;

/** The namespace of our advisory locks. They are taken in the order of their numbers, so that processes cannot deadlock. */
const LOCK_SPACE = 0x6b696e65;
const LOCK_NUMBERS: Readonly<Record<Lock, number>> = { submissions: 1, polls: 2, caps: 3 };

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
