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
export function createReplicaChanges(sources: ReplicaChangeSources): ReplicaChanges {
  const { audience, changesAfter, newestRevision, onError } = sources;
  /** The last published revision; null without listeners. */
  let cursor: number | null = null;
  let starting: Promise<void> | null = null;
  let reading: Promise<void> | null = null;
  let isWoken = false;
  let isStopped = false;
  let retryTimer: NodeJS.Timeout | undefined;
  const pollTimer = setInterval(wake, POLL_EVERY_MS).unref();

  /** Drops the cursor if there are no listeners. */
  function hasListeners(): boolean {
    if (audience.size() === 0) cursor = null;
    return audience.size() > 0;
  }

  function wake(): void {
    isWoken = true;
    if (hasListeners() && cursor !== null && !isStopped) reading ??= readAll();
  }

  function rolledBack(): void {
    if (cursor === null) return;
    // Cleared before listeners restart, because they attach again at once.
    cursor = null;
    audience.restart();
    if (hasListeners()) follow().catch(onError);
  }

  function follow(): Promise<void> {
    return cursor === null ? (starting ??= start()) : Promise.resolve();
  }

  async function start(): Promise<void> {
    try {
      const newest = await newestRevision();
      cursor ??= newest;
    } finally {
      starting = null;
    }
    // Reads what was committed in the meantime.
    wake();
  }

  async function readAll(): Promise<void> {
    clearTimeout(retryTimer);
    try {
      while (isWoken && hasListeners() && cursor !== null && !isStopped) {
        isWoken = false;
        await readPage(cursor);
      }
    } catch (error) {
      onError(error);
      retryTimer = setTimeout(wake, RETRY_MS).unref();
    } finally {
      reading = null;
    }
  }

  async function readPage(after: number): Promise<void> {
    const page = await changesAfter(after, PAGE);
    const last = page.at(-1);
    if (last) {
      if (cursor === null) return;
      cursor = last.revision;
      audience.publish(page);
      if (page.length === PAGE) isWoken = true;
    }
    // A store whose newest revision is below a published one has lost commits.
    else if ((await newestRevision()) < after && cursor === after) rolledBack();
  }

  return {
    committed({ before, changes, last }) {
      if (cursor === null) return;
      if (reading || before !== cursor) wake();
      else {
        cursor = last;
        audience.publish(changes);
      }
    },
    wake,
    rolledBack,
    follow,
    async stop() {
      isStopped = true;
      clearInterval(pollTimer);
      clearTimeout(retryTimer);
      await reading;
    },
  };
}
