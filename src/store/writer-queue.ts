import type { Transaction } from 'kysely';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { TaskRecord, VisibleRecord } from '../tasks/task.ts';
import type { Connections, Lock } from './connections.ts';
import type { Database } from './schema.ts';
import type { RecordCache } from './record-cache.ts';
import { prepared } from './statements.ts';

/** The most writes that share one commit. */
const MAX_BATCH = 500;

/** What a write needs before its batch starts. */
export interface Needs {
  /** The write takes a revision. */
  readonly revision?: true;
  /** Held until the batch is committed. */
  readonly lock?: Lock;
}

/** The changes of one commit, in order of revision. */
export interface Commit {
  readonly changes: readonly VisibleRecord[];
  /** The commit took the revisions after `before`, up to and including `last`. */
  readonly before: number;
  readonly last: number;
}

/** What a write may use inside the shared transaction. */
export interface WriteContext {
  readonly trx: Transaction<Database>;
  /** The next revision. Throws unless the write declared that it takes one. */
  takeRevision(): number;
  /** Reports a written record, for the cache. Every write of records must call this, `publish` or `wroteUnknown`. */
  wrote(record: TaskRecord): void;
  /** Reports records that were written but not read back, so the cache must be cleared. */
  wroteUnknown(): void;
  /** Reports a visible change, which is published after the commit. */
  publish(record: VisibleRecord): void;
}

export interface WriterQueue {
  /**
   * Runs `run` in a transaction shared with concurrent writes, in order of arrival, and resolves after the commit. `run` may be
   * called again after a failed transaction, so it may only affect the store. Rejects with StoreUnavailableError.
   */
  write<T>(needs: Needs, run: (context: WriteContext) => Promise<T>): Promise<T>;
  /** The age of the oldest unanswered write in ms; 0 if there is none. */
  lag(): number;
  /** Resolves when all writes are answered. */
  drain(): Promise<void>;
}

interface Write {
  /** Monotonic, in ms. */
  readonly since: number;
  readonly needs: Needs;
  /** Returns a function that resolves the caller's promise. */
  readonly run: (context: WriteContext) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
}

interface CommitListener {
  /** Called in order of revision, before the writers are answered. */
  readonly committed: (commit: Commit) => void;
  /** A response was lost: its batch may be committed and unpublished. */
  readonly inDoubt: () => void;
}

/** Observes commits. */
export interface CommitObserver {
  /** A batch was committed, `ms` after its first statement. */
  committed(ms: number, writes: number): void;
  /** A batch failed after all retries. Its writes are rejected or tried one by one. */
  failed(): void;
}

/** Group commit: one batch is in flight at a time. */
export function createWriterQueue(
  connections: Connections,
  cache: RecordCache,
  { committed, inDoubt }: CommitListener,
  observer: CommitObserver,
): WriterQueue {
  let waiting: Write[] = [];
  let running: Promise<void> | null = null;
  /** The first write of the batch in flight. */
  let oldest: Write | undefined;

  async function runAll(): Promise<void> {
    while (waiting.length > 0) {
      // Writes of one event-loop turn share a commit, including the next writes of callers just answered.
      await new Promise((resolve) => setImmediate(resolve));
      const batch = waiting.slice(0, MAX_BATCH);
      waiting = waiting.slice(MAX_BATCH);
      oldest = batch[0];
      await commitAll(batch);
    }
    oldest = undefined;
    running = null;
  }

  async function commitAll(batch: readonly Write[]): Promise<void> {
    try {
      await retryOutage(connections, batch, commit, inDoubt);
    } catch (error) {
      // The commit may have happened despite the error.
      cache.clear();
      observer.failed();
      // Each write is tried alone: a bad one must not fail the others, and one row at a time cannot deadlock. In an outage
      // that would only repeat the wait.
      const { isDeadlock, isOutage } = connections.retryPolicy;
      if (batch.length === 1 || (isOutage(error) && !isDeadlock(error)))
        for (const write of batch) write.fail(error);
      else for (const write of batch) await commitAll([write]);
    }
  }

  async function commit(batch: readonly Write[]): Promise<void> {
    const start = performance.now();
    const { answers, before, changes, isIncomplete, last, written } = await transact(connections, batch);
    observer.committed(performance.now() - start, batch.length);
    if (isIncomplete) cache.clear();
    else cache.committed(written);
    if (changes.length > 0) committed({ changes, before, last });
    for (const answer of answers) answer();
  }

  return {
    write: (needs, run) =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown): void => {
          reject(new StoreUnavailableError(error));
        };
        const since = performance.now();
        waiting.push({ since, needs, run: async (context) => resolve.bind(null, await run(context)), fail });
        running ??= runAll();
      }),
    lag() {
      const first = oldest ?? waiting[0];
      return first ? performance.now() - first.since : 0;
    },
    drain: () => running ?? Promise.resolve(),
  };
}

/** Runs a batch in one transaction. Returns what it wrote, its revisions, and the functions that answer its callers. */
function transact({ lock, notify, writer }: Connections, batch: readonly Write[]) {
  return writer.transaction().execute(async (trx) => {
    await lock(trx, new Set(batch.flatMap(({ needs }) => needs.lock ?? [])));
    const revisions = await takeRevisions(trx, batch.filter(({ needs }) => needs.revision).length);
    const changes: VisibleRecord[] = [];
    const written: TaskRecord[] = [];
    let isIncomplete = false;
    const context: WriteContext = {
      trx,
      takeRevision: revisions.next,
      wrote: (record) => void written.push(record),
      wroteUnknown() {
        isIncomplete = true;
      },
      publish(record) {
        written.push(record);
        changes.push(record);
      },
    };
    const answers: (() => void)[] = [];
    for (const write of batch) answers.push(await write.run(context));
    if (changes.length > 0) await notify(trx);
    return { ...revisions, answers, changes, isIncomplete, written };
  });
}

/**
 * Commits a batch, and retries it during an outage within the retry policy; a deadlock of several writes is not retried.
 * Rejects with the last error. If any try failed that way, its commit may have happened: `inDoubt` is called at the end.
 */
async function retryOutage(
  connections: Pick<Connections, 'retryPolicy'>,
  batch: readonly Write[],
  commit: (batch: readonly Write[]) => Promise<void>,
  inDoubt: () => void,
): Promise<void> {
  const startedAt = performance.now();
  let isInDoubt = false;
  try {
    for (;;) {
      try {
        await commit(batch);
        return;
      } catch (error) {
        // Read each time: a shutdown shortens it.
        const { isDeadlock, isOutage, pauseMs, totalMs } = connections.retryPolicy;
        if (!isOutage(error) || (batch.length > 1 && isDeadlock(error))) throw error;
        isInDoubt = true;
        if (performance.now() - startedAt >= totalMs) throw error;
        await delay(pauseMs);
      }
    }
  } finally {
    if (isInDoubt) inDoubt();
  }
}

const addToCounter = prepared((db, { count }: { readonly count: number }) =>
  db
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', 'revision')
    .returning('value'),
);

/** Takes revisions from the counter. This locks its row before any other write, so commits happen in order of revision. */
async function takeRevisions(trx: Transaction<Database>, count: number) {
  const { rows } = count === 0 ? { rows: [] } : await addToCounter(trx, { count });
  const last = Number(rows[0]?.value ?? 0);
  const before = last - count;
  let given = before;
  const next = (): number => {
    if (given === last) throw new Error('a write took a revision without declaring it');
    return (given += 1);
  };
  return { before, last, next };
}
