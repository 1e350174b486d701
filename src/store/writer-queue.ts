import type { Transaction } from 'kysely';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { VisibleRecord, TaskRecord } from '../tasks/task.ts';
import type { Connections, Lock } from './connections.ts';
import type { Database } from './schema.ts';
import type { KeptRecords } from './kept-records.ts';
import { retryOutage } from './retry.ts';
import { prepared } from './statements.ts';

/** How many writes share one commit at most. */
const MAX_BATCH = 500;

/** What a write needs before any write of its batch begins. */
export interface Needs {
  /** It takes a revision. */
  readonly revision?: true;
  /** No other process may do the same meanwhile. */
  readonly lock?: Lock;
}

/** The changes of one commit, in order of revision. */
export interface Commit {
  readonly changes: readonly VisibleRecord[];
  /** The revisions that it took are the ones above this one, up to `last`. */
  readonly before: number;
  readonly last: number;
}

/** What a write does inside the transaction that it shares with others. */
export interface WriteContext {
  readonly trx: Transaction<Database>;
  /** The next revision; only for writes that said that they take one. */
  takeRevision(): number;
  /** Says what a record is once this is committed; every write of one has to, or to say that it cannot. */
  wrote(record: TaskRecord): void;
  /** The same, for a change that is to be told as well. */
  changed(record: VisibleRecord): void;
  /** Says that records were written of which it is not known what they are. */
  wroteUnseen(): void;
}

export interface WriterQueue {
  /**
   * Runs `run` in a transaction together with other writes that arrive at the same time, in order of arrival.
   * Fulfilled when it is committed; `run` may be called again when the shared transaction failed, so it must have no
   * effect but on the store. Rejects with StoreUnavailableError.
   */
  write<T>(needs: Needs, run: (context: WriteContext) => Promise<T>): Promise<T>;
  /** How long the oldest write that is not answered has been waiting, in ms; 0 when there is none. */
  lag(): number;
  /** Fulfilled when nothing is being written or waiting. */
  drain(): Promise<void>;
}

interface Write {
  /** By the clock that only goes forward, in ms. */
  readonly since: number;
  readonly needs: Needs;
  /** Runs it and returns how to tell its caller. */
  readonly run: (context: WriteContext) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
}

/** Who is told what became of the writes. */
interface CommitListener {
  /** In order of revision, before the writers are answered. */
  readonly committed: (commit: Commit) => void;
  /** An answer was lost: it may have been committed, and nobody was told. */
  readonly inDoubt: () => void;
}

/** One batch is in flight at a time. */
export function createWriterQueue(
  connections: Connections,
  kept: KeptRecords,
  { committed, inDoubt }: CommitListener,
  observer: CommitObserver | null = null,
): WriterQueue {
  let waiting: Write[] = [];
  let running: Promise<void> | null = null;
  /** Of the batch that is in flight, or was last. */
  let oldest: Write | undefined;

  async function runAll(): Promise<void> {
    while (waiting.length > 0) {
      // Everything that arrives in one turn of the event loop shares a commit, what those who were answered write next as well.
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
      // It may have been committed all the same.
      kept.forget();
      observer?.failed();
      // One of them may be at fault: none of the others shall suffer for it. For an outage none is, and each would wait anew.
      if (batch.length === 1 || connections.patience.isOutage(error))
        for (const write of batch) write.fail(error);
      else for (const write of batch) await commitAll([write]);
    }
  }

  async function commit(batch: readonly Write[]): Promise<void> {
    const notes: Notes = { changes: [], written: [], isUnseen: false };
    const { changes } = notes;
    const start = performance.now();
    const { answers, before, last } = await transact(connections, batch, notes);
    observer?.committed(performance.now() - start, batch.length);
    if (notes.isUnseen) kept.forget();
    else kept.committed(notes.written);
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

/** Commits a batch. Returns how to answer its callers, and its revisions. */
function transact({ lock, notify, writer }: Connections, batch: readonly Write[], notes: Notes) {
  return writer.transaction().execute(async (trx) => {
    await lock(trx, new Set(batch.flatMap(({ needs }) => needs.lock ?? [])));
    const revisions = await takeRevisions(trx, batch.filter(({ needs }) => needs.revision).length);
    const context = contextOf(trx, revisions, notes);
    const answers: (() => void)[] = [];
    for (const write of batch) answers.push(await write.run(context));
    if (notes.changes.length > 0) await notify(trx);
    return { answers, ...revisions };
  });
}

/** What the writes of a batch say of themselves. */
interface Notes {
  readonly changes: VisibleRecord[];
  readonly written: TaskRecord[];
  isUnseen: boolean;
}

function contextOf(trx: Transaction<Database>, revisions: Revisions, notes: Notes): WriteContext {
  return {
    trx,
    takeRevision: revisions.next,
    wrote: (record) => {
      notes.written.push(record);
    },
    changed: (record) => {
      notes.written.push(record);
      notes.changes.push(record);
    },
    wroteUnseen: () => {
      notes.isUnseen = true;
    },
  };
}

/** Is told how batches of writes fare. */
export interface CommitObserver {
  /** One was committed, `ms` after its first statement. */
  committed(ms: number, writes: number): void;
  /** One was not, after all tries; its callers are told, or each of its writes is tried by itself. */
  failed(): void;
}

const counted = prepared((db, { count }: { readonly count: number }) =>
  db
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', 'revision')
    .returning('value'),
);

/** Revisions that belong to one transaction: those above `before`, up to `last`. */
export interface Revisions {
  readonly before: number;
  readonly last: number;
  /** Gives them out one by one. */
  readonly next: () => number;
}

/**
 * Takes so many from the store's one counter. Its row is locked before anything else is written, so that commits happen in
 * order of revision.
 */
async function takeRevisions(trx: Transaction<Database>, count: number): Promise<Revisions> {
  if (count === 0) return { before: 0, last: 0, next: never };
  const { rows } = await counted(trx, { count });
  const last = Number(rows[0]?.value);
  let given = last - count;
  return { before: given, last, next: () => (given += 1) };
}

function never(): never {
  throw new Error('a write took a revision without having said so');
}
