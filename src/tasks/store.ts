import type { VisibleRecord, TaskRecord, TaskState } from './task.ts';

/** Where a page of an owner's tasks goes on: below the task that was created then and has this id. */
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

/** Work that was claimed, and when to ask for more: null when only new tasks can bring some. */
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
  /** When so many tasks have left the window that there is room for one more, in ms since the epoch. */
  readonly freeAt: number;
}

/** The store could not be reached or could not write; what was to be done may be tried again. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';

  constructor(cause: unknown) {
    super(`the store is not available: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * Where tasks live. A promise that is fulfilled for a write means: it is durable. Every method rejects
 * with StoreUnavailableError when the store cannot be reached or cannot write.
 * Committed changes that took a revision are handed to the feed in order of revision; those of the only process on a
 * store before their promises are fulfilled.
 */
export interface TaskStore {
  /** Adds a task. When the owner's idempotencyKey is in use, adds nothing and returns the task that has it. */
  insert(record: TaskRecord): Promise<TaskRecord>;
  /**
   * The same; when the task would be new and its owner has reached some of the caps, adds nothing and returns the one of
   * them that lasts longest.
   */
  insert(record: TaskRecord, caps: readonly CreateCap[]): Promise<TaskRecord | ReachedCap>;
  /** By our id, hidden ones included. */
  get(id: string): Promise<TaskRecord | null>;
  /** By the owner's idempotencyKey, hidden ones included. */
  getByKey(owner: string, idempotencyKey: string): Promise<TaskRecord | null>;
  /** Our id of the task that the provider knows under this id, hidden ones included; no two tasks have the same. */
  holderOf(providerTaskId: string): Promise<string | null>;
  /** Writes `next` with a new revision, which announces it; null when the record was written since `next` was read. */
  save(next: TaskRecord): Promise<VisibleRecord | null>;
  /** Writes what no reader sees, without a new revision; null when the record was written since `next` was read. */
  amend(next: TaskRecord): Promise<TaskRecord | null>;

  /** A visible task of this owner, by our id or the provider's. */
  find(owner: string, id: string): Promise<VisibleRecord | null>;
  /** Visible tasks of this owner, newest first. */
  page(owner: string, query: PageQuery): Promise<readonly VisibleRecord[]>;
  /** Visible tasks of this owner that changed after `revision`, each in its newest state, in order of revision. */
  changesAfter(owner: string, revision: number, limit: number): Promise<readonly VisibleRecord[]>;
  /** The newest revision that was given to any task; 0 before the first. */
  newestRevision(): Promise<number>;

  /**
   * Takes free slots of the create limit (`limit` per `windowMs`, refused and repeated calls counted) for tasks that
   * wait their turn, round robin over owners, oldest first within one, and sets their marks, all in one transaction.
   * Only tasks that are announced or leased by `processId` are taken. Who gets a record back sends it, and nobody else.
   * What an earlier call of the same `attempt` marked is returned again, or waits its turn anew: to be repeated, and only
   * then, when a call was rejected, since its marks may have been committed all the same.
   */
  takeTurns(query: {
    /** Asked once nobody else can take turns: a slot that was stamped earlier would count too short a time. */
    readonly now: () => number;
    /** By this the slots count, whatever becomes of the clock; `now` when left out. */
    readonly elapsed?: (() => number) | undefined;
    readonly processId: string;
    /** A name that no other call had, but the ones that this one repeats. */
    readonly attempt: string;
    readonly limit: number;
    readonly windowMs: number;
    /** For the mark's own end: when a marked task without an outcome is looked at. */
    readonly checkAfterMs: number;
  }): Promise<Claim>;
  /** How many tasks of each owner wait their turn to be sent; owners without any are left out. */
  waitingByOwner(): Promise<ReadonlyMap<string, number>>;
  /** The ids of these tasks, hidden ones included, in the order in which they would be sent at `now`. */
  queue(now: number): Promise<readonly string[]>;
  /** How long the newest successes took from when the provider took them, in ms; newest first. */
  newestDurations(limit: number): Promise<readonly number[]>;
  /**
   * Claims tasks whose next check is due, most overdue first, at most `limitPerSecond` in any second over all
   * processes, and keeps others away from them for `leaseMs`.
   */
  claimDue(query: {
    /** Asked once nobody else can claim. */
    readonly now: () => number;
    readonly elapsed?: (() => number) | undefined;
    readonly leaseMs: number;
    readonly limitPerSecond: number;
  }): Promise<Claim>;

  /**
   * To be called once at start by the only process on this store: ends the leases of its predecessors and makes
   * marks without an outcome due at once.
   */
  takeOver(now: number): Promise<void>;
  /**
   * To be called when the clock was set back to `now`: makes due at once what was planned by the clock before, but the
   * conclusion that a create answer is lost, and ends leases that would last too long.
   */
  clockWentBack(now: number): Promise<void>;
  /** Deletes hidden tasks that were never sent and whose lease ran out: nobody was told of them. */
  sweepOrphans(now: number): Promise<number>;
  /** Deletes refusals from before `refusedBefore`, slots from before `slotsBefore` and uploads that have expired by `now`. */
  sweep(query: {
    readonly refusedBefore: number;
    readonly slotsBefore: number;
    readonly now: number;
  }): Promise<void>;
  /**
   * Deletes tasks that ended before then, at most `limit` of them, in no visible change: nobody is told. Returns how many.
   */
  sweepEnded(query: { readonly endedBefore: number; readonly limit: number }): Promise<number>;

  /**
   * Fulfilled when the feed will be told every change that is committed from now on, by whichever process; to be called
   * after attaching to it.
   */
  follow(): Promise<void>;
  /** A random secret of 32 bytes that is made at the first call and the same ever after, for all processes. */
  secret(name: string): Promise<Buffer>;
  /** How long the oldest write that is not answered yet has been waiting, in ms; 0 when there is none. */
  writeLag(): number;
  /** Rejects when the store cannot be read, or has not taken a write of late; may be asked at any rate. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
