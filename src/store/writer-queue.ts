import type { Transaction } from 'kysely';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { TaskRecord, VisibleRecord } from '../tasks/task.ts';
import type { Connections, Lock } from './connections.ts';
import type { Database } from './schema.ts';
import type { RecordCache } from './record-cache.ts';
import { retryOutage } from './retry.ts';
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

/** Group commit: one batch is in flight at a time. */
export function createWriterQueue(
  connections: Connections,
  cache: RecordCache,
  { committed, inDoubt }: CommitListener,
  observer: CommitObserver | null = null,
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
      await retryOutage(connections, () => commit(batch), inDoubt);
    } catch (error) {
      // The commit may have happened despite the error.
      cache.clear();
      observer?.failed();
      // A bad write must not fail the others, so each is tried alone. In an outage that would only repeat the wait.
      if (batch.length === 1 || connections.retryPolicy.isOutage(error))
        for (const write of batch) write.fail(error);
      else for (const write of batch) await commitAll([write]);
    }
  }

  async function commit(batch: readonly Write[]): Promise<void> {
    const report: Report = { changes: [], written: [], isIncomplete: false };
    const { changes } = report;
    const start = performance.now();
    const { answers, before, last } = await transact(connections, batch, report);
    observer?.committed(performance.now() - start, batch.length);
    if (report.isIncomplete) cache.clear();
    else cache.committed(report.written);
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
    lag: () => ageOf(oldest ?? waiting[0]),
    drain: () => running ?? Promise.resolve(),
  };
}

function ageOf(write: Write | undefined): number {
  return write ? performance.now() - write.since : 0;
}

/** What the writes of a batch report. */
interface Report {
  readonly changes: VisibleRecord[];
  readonly written: TaskRecord[];
  isIncomplete: boolean;
}

/** Runs a batch in one transaction. Returns the functions that answer its callers, and its revisions. */
function transact({ lock, notify, writer }: Connections, batch: readonly Write[], report: Report) {
  return writer.transaction().execute(async (trx) => {
    await lock(trx, new Set(batch.flatMap(({ needs }) => needs.lock ?? [])));
    const revisions = await takeRevisions(trx, batch.filter(({ needs }) => needs.revision).length);
    const context: WriteContext = {
      trx,
      takeRevision: revisions.next,
      wrote: (record) => {
        report.written.push(record);
      },
      wroteUnknown: () => {
        report.isIncomplete = true;
      },
      publish: (record) => {
        report.written.push(record);
        report.changes.push(record);
      },
    };
    const answers: (() => void)[] = [];
    for (const write of batch) answers.push(await write.run(context));
    if (report.changes.length > 0) await notify(trx);
    return { answers, ...revisions };
  });
}

/** Observes commits. */
export interface CommitObserver {
  /** A batch was committed, `ms` after its first statement. */
  committed(ms: number, writes: number): void;
  /** A batch failed after all retries. Its writes are rejected or tried one by one. */
  failed(): void;
}

const addToCounter = prepared((db, { count }: { readonly count: number }) =>
  db
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', 'revision')
    .returning('value'),
);

interface Revisions {
  readonly before: number;
  readonly last: number;
  readonly next: () => number;
}

/** Takes revisions from the counter. This locks its row before any other write, so commits happen in order of revision. */
async function takeRevisions(trx: Transaction<Database>, count: number): Promise<Revisions> {
  if (count === 0) return { before: 0, last: 0, next: rejectRevision };
  const { rows } = await addToCounter(trx, { count });
  const last = Number(rows[0]?.value);
  let given = last - count;
  return { before: given, last, next: () => (given += 1) };
}

function rejectRevision(): never {
  throw new Error('a write took a revision without declaring it');
}
