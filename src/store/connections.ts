import type { Kysely, Transaction } from 'kysely';
import type { Database } from './schema.ts';

export type Dialect = 'sqlite' | 'postgres';

/** What only one process may do at a time: claim submissions, claim polls, insert under a cap, write copies of videos. */
export type Lock = 'submissions' | 'polls' | 'caps' | 'copies';

/** An open database, and everything in which the two kinds of database differ. */
export interface Connections {
  /** Reads committed data. May be the same connection as the writer. */
  readonly reader: Kysely<Database>;
  readonly writer: Kysely<Database>;
  /** This process is the only writer. */
  readonly isExclusive: boolean;
  /** Takes locks until the transaction ends. Call it before any other statement of the transaction. */
  lock(trx: Transaction<Database>, locks: ReadonlySet<Lock>): Promise<void>;
  /** Wakes the other replicas once the transaction is committed. */
  notify(trx: Transaction<Database>): Promise<void>;
  /** Subscribes to signs of what other replicas may have done. */
  listen(listener: StoreListener): void;
  /** How writes are retried during an outage. */
  readonly retryPolicy: RetryPolicy;
  /** Limits how long every response is awaited, those in flight included. Absent if the database runs in this process. */
  readonly setResponseTimeout?: (ms: number) => void;
  close(): Promise<void>;
}

export interface StoreListener {
  /** Another process may have committed changes. */
  wake(): void;
  /** The database may have lost published commits: another server has taken over. */
  rolledBack(): void;
}

interface RetryPolicy {
  readonly totalMs: number;
  readonly pauseMs: number;
  /** The database could not be reached or used, so any other write would have failed too. */
  readonly isOutage: (error: unknown) => boolean;
  /** Other processes write the same rows in another order. One of the waiting transactions was rolled back. */
  readonly isDeadlock: (error: unknown) => boolean;
}

/** The address of a PostgreSQL database without its password. */
export function databaseName(url: string): string {
  const { host, pathname, username } = new URL(url);
  return `${username === '' ? '' : `${username}@`}${host}${pathname}`;
}
