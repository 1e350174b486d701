import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import type { Connections, Lock, StoreListener } from '../connections.ts';
import { type Database, StoreSchemaError } from '../schema.ts';
import { nameOf } from '../record.ts';
import { POOLED, adviceFor, reasonOf, isOutage, createPostgresPool, keepsSession } from './pool.ts';
import { createHistoryCheck } from './history.ts';
import { listenForCommits, notifyOfCommit } from './listener.ts';
import { createTimeLimit } from '../retry.ts';

interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with the parameters that libpq knows. */
  readonly url: string;
  /** The same database without a pooler, for LISTEN and migrations; null when `url` does for those. */
  readonly listenUrl: string | null;
  /** How many connections read; one more writes and one listens. */
  readonly readers: number;
  readonly onError: (error: unknown) => void;
  /** Migrates the database before anything else is done. */
  readonly prepare: (db: Kysely<Database>) => Promise<unknown>;
}

/** A restart of the database, or a switch to its replica, is outlasted; the callers of a longer outage are told. */
const PATIENCE = { totalMs: 3000, pauseMs: 100, isOutage };
const HURRIED = { ...PATIENCE, totalMs: 0 };

/** How long a close waits for the server, in ms. */
const CLOSE_MS = 2000;
const HURRIED_CLOSE_MS = 500;

/** Advisory locks of ours, apart from those of others in the same database. Taken in the order of these numbers. */
const LOCK_SPACE = 0x6b696e65;
const LOCK_NUMBERS: Readonly<Record<Lock, number>> = { turns: 1, checks: 2, caps: 3 };

/**
 * Connects to a PostgreSQL database, which any number of processes share. Rejects with an error that says what to do when
 * it cannot be used.
 */
export async function openPostgres(options: PostgresOptions): Promise<Connections> {
  const { onError, readers, url } = options;
  const sessionUrl = options.listenUrl ?? url;
  await prepareDatabase(sessionUrl, options);
  let listener: StoreListener | null = null;
  const onConnect = createHistoryCheck(() => listener?.setBack());
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
    get patience() {
      return limit.isSet() ? HURRIED : PATIENCE;
    },
    hurry: limit.set,
    async close() {
      const closed = Promise.all([stopListening(), reader.destroy(), writer.destroy()]);
      // Over a connection that was cut without a word no goodbye is ever answered.
      await Promise.race([
        closed,
        delay(limit.isSet() ? HURRIED_CLOSE_MS : CLOSE_MS, undefined, { ref: false }),
      ]);
    },
  };
}

/** On a connection of its own: a migration takes its time, and waits as long as another process is at it. */
async function prepareDatabase(url: string, { onError, prepare }: PostgresOptions): Promise<void> {
  const pool = createPostgresPool({ url, size: 1, onError, isPatient: true });
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
  return new Error(`The database ${nameOf(url)} cannot be used (${reasonOf(error)}). ${adviceFor(error)}`, {
    cause: error,
  });
}
