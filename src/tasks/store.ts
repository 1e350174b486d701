import type { ProviderErrorCode } from './failure.ts';
import type { VisibleRecord, TaskRecord, TaskState } from './task.ts';

/** A video that this gateway got. */
export interface RecentSuccess {
  /** From acceptance to completion, in ms. */
  readonly duration: number;
  /** What it was charged; null if the provider did not say. */
  readonly credits: number | null;
  readonly hasEndImage: boolean;
}

/** Position in an owner's list: the page continues below this task. */
export interface PagePosition {
  readonly createdAt: number;
  readonly id: string;
}

interface PageQuery {
  readonly limit: number;
  /** null for the newest tasks. */
  readonly below: PagePosition | null;
  /** Empty for all states. */
  readonly states: readonly TaskState[];
}

/** Claimed tasks, and when to claim again; null if only a new task can be next. */
export interface Claim {
  readonly records: readonly TaskRecord[];
  readonly nextAt: number | null;
}

/** How many tasks an owner may create in any `windowMs`. */
export interface CreateCap {
  readonly limit: number;
  readonly windowMs: number;
}

export interface ReachedCap {
  readonly cap: CreateCap;
  /** When the window has room for another task, in ms since the epoch. */
  readonly freeAt: number;
}

/** The store cannot be reached or cannot write. The operation may be retried. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';

  constructor(cause: unknown) {
    super(`the store is unavailable: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * The task store. A resolved write is durable. Every method rejects with StoreUnavailableError in an outage.
 * Visible changes are published to the feed in order of revision; a store with a single process does so before the write
 * resolves.
 */
export interface TaskStore {
  /** Adds a task, or returns its twin if the owner's idempotencyKey is in use. */
  insert(record: TaskRecord): Promise<TaskRecord>;
  /** Like above. If the task is new and its owner has reached caps, adds nothing and returns the cap that lasts longest. */
  insert(record: TaskRecord, caps: readonly CreateCap[]): Promise<TaskRecord | ReachedCap>;
  /** By our id, including hidden tasks. */
  get(id: string): Promise<TaskRecord | null>;
  /** By the owner's idempotencyKey, including hidden tasks. */
  getByKey(owner: string, idempotencyKey: string): Promise<TaskRecord | null>;
  /** Our id of the task with this provider id, including hidden tasks. Provider ids are unique. */
  holderOf(providerTaskId: string): Promise<string | null>;
  /** Writes `next` with a new revision, which makes it visible; null after a concurrent write. */
  save(next: TaskRecord): Promise<VisibleRecord | null>;
  /** Writes fields that no client sees, without a new revision; null after a concurrent write. */
  amend(next: TaskRecord): Promise<TaskRecord | null>;

  /** A visible task of this owner, by our id or the provider's. */
  find(owner: string, id: string): Promise<VisibleRecord | null>;
  /** Visible tasks of this owner, newest first. */
  page(owner: string, query: PageQuery): Promise<readonly VisibleRecord[]>;
  /** Visible tasks of this owner that changed after `revision`, each in its newest state, in order of revision. */
  changesAfter(owner: string, revision: number, limit: number): Promise<readonly VisibleRecord[]>;
  /** The newest revision of any task; 0 before the first. */
  newestRevision(): Promise<number>;

  /**
   * Claims queued tasks, round robin over owners and oldest first, and commits their marks and rate slots (`limit` per
   * `windowMs`) in one transaction. Takes visible tasks, and hidden ones leased by `processId`. Only the process that gets a
   * record may send it. Repeat a rejected call with the same `attempt`: its marks may have been committed.
   */
  claimSubmissions(query: {
    /** Called under the lock: an earlier time would shorten the window of the rate slots. */
    readonly now: () => number;
    /** Monotonic clock for the rate slots. Default: `now`. */
    readonly elapsed?: (() => number) | undefined;
    readonly processId: string;
    /** `Provider.name`: each provider has its own tasks and limit. */
    readonly provider: string;
    /** A unique name; a repeated call has the same one. */
    readonly attempt: string;
    readonly limit: number;
    readonly windowMs: number;
    /** When a marked task without an outcome is checked. */
    readonly checkAfterMs: number;
  }): Promise<Claim>;
  /** Number of queued tasks per owner; without owners that have none. */
  waitingByOwner(): Promise<ReadonlyMap<string, number>>;
  /** Ids of queued tasks, including hidden ones, in the order in which they would be sent at `now`. */
  queue(now: number): Promise<readonly string[]>;
  /** The newest successes of a model (by the provider's id) and variant, newest first. */
  newestSuccesses(model: string, variant: string, limit: number): Promise<readonly RecentSuccess[]>;
  /** How the newest tasks of a model ended since a time: with which failure, or null for a success; newest first. */
  newestOutcomes(model: string, since: number, limit: number): Promise<readonly (ProviderErrorCode | null)[]>;
  /**
   * Claims tasks whose next check is due, round robin over owners and most overdue first, for `leaseMs`. All replicas
   * together claim at most `limitPerSecond`.
   */
  claimDue(query: {
    /** Called under the lock. */
    readonly now: () => number;
    readonly elapsed?: (() => number) | undefined;
    readonly provider: string;
    readonly leaseMs: number;
    readonly limitPerSecond: number;
  }): Promise<Claim>;

  /**
   * For the start of a store's single process: ends the leases of its predecessor and makes marks without an outcome due
   * at once.
   */
  takeOver(now: number): Promise<void>;
  /**
   * After the clock was set back to `now`: makes every scheduled check due, and ends leases that would last too long. Marks
   * without an outcome keep their time: they must not be declared lost early.
   */
  clockWentBack(now: number): Promise<void>;
  /** Deletes hidden tasks that were never sent and whose lease has expired. */
  sweepOrphans(now: number): Promise<number>;
  /** Deletes refusals before `refusedBefore`, rate slots before `slotsBefore`, and uploads that expired by `now`. */
  sweep(query: {
    readonly refusedBefore: number;
    readonly slotsBefore: number;
    readonly now: number;
  }): Promise<void>;
  /** Deletes at most `limit` tasks that ended before `endedBefore`, and returns how many. Publishes nothing. */
  sweepEnded(query: { readonly endedBefore: number; readonly limit: number }): Promise<number>;

  /** Resolves when the feed receives every later commit of all replicas. Call it after attaching to the feed. */
  follow(): Promise<void>;
  /** A random secret of 32 bytes, created once and shared by all replicas. */
  secret(name: string): Promise<Buffer>;
  /** Age of the oldest pending write in ms; 0 if none is pending. */
  writeLag(): number;
  /** Rejects if the store cannot be read or written. May be called at any rate. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
