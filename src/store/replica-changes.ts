import type { VisibleRecord } from '../tasks/task.ts';
import type { Commit } from './writer-queue.ts';

/** Where changes are told; `size` is how many listen. */
export interface Audience {
  publish(changes: readonly VisibleRecord[]): void;
  size(): number;
  /** Changes that were told may be lost: whoever listens has to begin anew. */
  restart(): void;
}

/** Tells the changes of all processes, each once, in order of revision. */
export interface ReplicaChanges {
  /** A commit of this process: told at once when it is the next one, else read in its turn. */
  committed(commit: Commit): void;
  /** Another process may have committed something. */
  wake(): void;
  /** The store may have lost changes that were told. */
  setBack(): void;
  /** Fulfilled when every change that is committed from now on will be told as long as somebody listens. */
  follow(): Promise<void>;
  /** Fulfilled when nothing is being read any more. */
  stop(): Promise<void>;
}

const PAGE = 500;
/** A wake-up may be lost; what it would have told is found by looking. */
const LOOK_EVERY_MS = 5000;
const RETRY_MS = 500;

interface ReplicaChangeSources {
  readonly audience: Audience;
  readonly newestRevision: () => Promise<number>;
  /** Visible tasks of all owners that changed after a revision, in order of revision. */
  readonly changesAfter: (revision: number, limit: number) => Promise<readonly VisibleRecord[]>;
  readonly onError: (error: unknown) => void;
}

/**
 * Follows a store that other processes write to as well. While nobody listens it reads nothing; it begins at the newest
 * revision when somebody does.
 */
export class ReplicaChangeReader implements ReplicaChanges {
  readonly #sources: ReplicaChangeSources;
  readonly #look: NodeJS.Timeout;
  /** Everything up to it was told; null when nobody has to be told anything. */
  #cursor: number | null = null;
  #beginning: Promise<void> | null = null;
  #reading: Promise<void> | null = null;
  #isWoken = false;
  #isStopped = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(sources: ReplicaChangeSources) {
    this.#sources = sources;
    this.#look = setInterval(this.wake, LOOK_EVERY_MS).unref();
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
    if (this.#hasListeners() && this.#cursor !== null && !this.#isStopped) this.#reading ??= this.#readAll();
  };

  readonly setBack = (): void => {
    if (this.#cursor === null) return;
    // Before anybody is told, for who begins anew attaches at once.
    this.#cursor = null;
    this.#sources.audience.restart();
    // Those who stay are told what comes from now on.
    if (this.#hasListeners()) this.follow().catch(this.#sources.onError);
  };

  readonly follow = (): Promise<void> =>
    this.#cursor === null ? (this.#beginning ??= this.#begin()) : Promise.resolve();

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#look);
    clearTimeout(this.#retry);
    await this.#reading;
  }

  async #begin(): Promise<void> {
    try {
      const newest = await this.#sources.newestRevision();
      this.#cursor ??= newest;
    } finally {
      this.#beginning = null;
    }
    // For what was committed since that was read.
    this.wake();
  }

  async #readAll(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      while (this.#isWoken && this.#hasListeners() && this.#cursor !== null && !this.#isStopped) {
        this.#isWoken = false;
        const page = await this.#sources.changesAfter(this.#cursor, PAGE);
        this.#tell(page);
        if (page.length === PAGE) this.#isWoken = true;
        if (page.length === 0) await this.#lookBehind(this.#cursor);
      }
    } catch (error) {
      this.#sources.onError(error);
      this.#retry = setTimeout(this.wake, RETRY_MS).unref();
    } finally {
      this.#reading = null;
    }
  }

  /** A store that knows no revision as new as what was told has lost some. */
  async #lookBehind(cursor: number): Promise<void> {
    const newest = await this.#sources.newestRevision();
    if (newest < cursor && this.#cursor === cursor) this.setBack();
  }

  /** Without listeners the place is forgotten: the next one begins at the newest revision. */
  #hasListeners(): boolean {
    if (this.#sources.audience.size() > 0) return true;
    this.#cursor = null;
    return false;
  }

  #tell(page: readonly VisibleRecord[]): void {
    const newest = page.at(-1);
    if (this.#cursor === null || !newest) return;
    this.#cursor = newest.revision;
    this.#sources.audience.publish(page);
  }
}
