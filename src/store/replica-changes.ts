import type { VisibleRecord } from '../tasks/task.ts';
import type { Commit } from './writer-queue.ts';

/** Where changes are published. `size` is the number of listeners. */
export interface Audience {
  publish(changes: readonly VisibleRecord[]): void;
  size(): number;
  /** Published changes may be lost: every listener must catch up again. */
  restart(): void;
}

/** Publishes the changes of all replicas, each once, in order of revision. */
export interface ReplicaChanges {
  /** Handles a commit of this process. It is published at once if it is the next one; otherwise it is read in order. */
  committed(commit: Commit): void;
  /** Another replica may have committed. */
  wake(): void;
  /** The store may have lost published changes. */
  rolledBack(): void;
  /** Resolves once every later commit will be published while there are listeners. */
  follow(): Promise<void>;
  /** Resolves when no read is in flight. */
  stop(): Promise<void>;
}

const PAGE = 500;
/** Wake-ups may be lost, so the reader polls as well. */
const POLL_EVERY_MS = 5000;
const RETRY_MS = 500;

interface ReplicaChangeSources {
  readonly audience: Audience;
  readonly newestRevision: () => Promise<number>;
  /** Visible tasks of all owners that changed after a revision, in order of revision. */
  readonly changesAfter: (revision: number, limit: number) => Promise<readonly VisibleRecord[]>;
  readonly onError: (error: unknown) => void;
}

/** Follows a store that other replicas write to. It reads nothing without listeners; the next one starts at the newest revision. */
export class ReplicaChangeReader implements ReplicaChanges {
  readonly #sources: ReplicaChangeSources;
  readonly #pollTimer: NodeJS.Timeout;
  /** The last published revision; null without listeners. */
  #cursor: number | null = null;
  #starting: Promise<void> | null = null;
  #reading: Promise<void> | null = null;
  #isWoken = false;
  #isStopped = false;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(sources: ReplicaChangeSources) {
    this.#sources = sources;
    this.#pollTimer = setInterval(this.wake, POLL_EVERY_MS).unref();
  }

  readonly committed = ({ before, changes, last }: Commit): void => {
    if (this.#cursor === null) return;
    if (this.#reading || before !== this.#cursor) {
      this.wake();
      return;
    }
    this.#cursor = last;
    this.#sources.audience.publish(changes);
  };

  readonly wake = (): void => {
    this.#isWoken = true;
    if (this.#isActive()) this.#reading ??= this.#readAll();
  };

  readonly rolledBack = (): void => {
    if (this.#cursor === null) return;
    // Cleared before listeners restart, because they attach again at once.
    this.#cursor = null;
    this.#sources.audience.restart();
    if (this.#hasListeners()) this.follow().catch(this.#sources.onError);
  };

  readonly follow = (): Promise<void> =>
    this.#cursor === null ? (this.#starting ??= this.#start()) : Promise.resolve();

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#pollTimer);
    clearTimeout(this.#retryTimer);
    await this.#reading;
  }

  async #start(): Promise<void> {
    try {
      const newest = await this.#sources.newestRevision();
      this.#cursor ??= newest;
    } finally {
      this.#starting = null;
    }
    // Reads what was committed in the meantime.
    this.wake();
  }

  async #readAll(): Promise<void> {
    clearTimeout(this.#retryTimer);
    try {
      while (this.#isWoken && this.#isActive() && this.#cursor !== null) {
        this.#isWoken = false;
        const page = await this.#sources.changesAfter(this.#cursor, PAGE);
        this.#publish(page);
        if (page.length === PAGE) this.#isWoken = true;
        if (page.length === 0) await this.#detectRollback(this.#cursor);
      }
    } catch (error) {
      this.#sources.onError(error);
      this.#retryTimer = setTimeout(this.wake, RETRY_MS).unref();
    } finally {
      this.#reading = null;
    }
  }

  /** A store whose newest revision is below a published one has lost commits. */
  async #detectRollback(cursor: number): Promise<void> {
    const newest = await this.#sources.newestRevision();
    if (newest < cursor && this.#cursor === cursor) this.rolledBack();
  }

  #isActive(): boolean {
    return this.#hasListeners() && this.#cursor !== null && !this.#isStopped;
  }

  /** Drops the cursor if there are no listeners. */
  #hasListeners(): boolean {
    if (this.#sources.audience.size() > 0) return true;
    this.#cursor = null;
    return false;
  }

  #publish(page: readonly VisibleRecord[]): void {
    const newest = page.at(-1);
    if (this.#cursor === null || !newest) return;
    this.#cursor = newest.revision;
    this.#sources.audience.publish(page);
  }
}
