import type { Kysely, Transaction } from 'kysely';
import type { Database } from './schema.ts';

export type Dialect = 'sqlite' | 'postgres';

/** What only one process may do at a time: take turns of the create limit, checks of the query limit, capped inserts. */
export type Lock = 'turns' | 'checks' | 'caps';

/** An open database, with what each kind of database does in its own way. */
export interface Connections {
  /** Sees what is committed; may be the same as the writer. */
  readonly reader: Kysely<Database>;
  readonly writer: Kysely<Database>;
  /** No other process writes to the same data as long as this one lives. */
  readonly isExclusive: boolean;
  /** Keeps other processes out of the same until the transaction ends. Always taken in the same order, before all else. */
  lock(trx: Transaction<Database>, locks: ReadonlySet<Lock>): Promise<void>;
  /** Has the other processes woken when the transaction, which holds visible changes, is committed. */
  notify(trx: Transaction<Database>): Promise<void>;
  /** From now on tells of what other processes may have done. */
  listen(listener: StoreListener): void;
  /** How long a write is tried anew while an error is nobody's fault, how often, and which errors are so. */
  readonly patience: RetryPolicy;
  /** From now on waits no longer than this for any answer; missing where none is waited for. */
  readonly hurry?: (withinMs: number) => void;
  close(): Promise<void>;
}

export interface StoreListener {
  /** Another process may have committed changes. */
  wake(): void;
  /** The store may have lost commits that were told: another server has taken over from the one that had them. */
  setBack(): void;
}

interface RetryPolicy {
  readonly totalMs: number;
  readonly pauseMs: number;
  /** The database could not be reached or used, so that no other write would have fared better. */
  readonly isOutage: (error: unknown) => boolean;
}
