import type { Kysely, Transaction } from 'kysely';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { AnnouncedRecord } from '../tasks/task.ts';
import type { Database } from './database.ts';
import { isLocked, waitForLock } from './wait-for-lock.ts';

/** How many writes share one commit at most. */
const MAX_BATCH = 500;

/** What a write does inside the transaction that it shares with others. */
export interface WriteContext {
  readonly trx: Transaction<Database>;
  /** The next revision; only for writes that said that they take one. */
  takeRevision(): number;
  /** Remembers a change to be told once it is committed. */
  changed(record: AnnouncedRecord): void;
}

export interface WriterQueue {
  /**
   * Runs `run` in a transaction together with other writes that arrive at the same time, in order of arrival.
   * Fulfilled when it is committed; `run` may be called again when the shared transaction failed, so it must have no
   * effect but on the store. Rejects with StoreUnavailableError.
   */
  write<T>(takesRevision: boolean, run: (context: WriteContext) => Promise<T>): Promise<T>;
  /** Fulfilled when nothing is being written or waiting. */
  drain(): Promise<void>;
}

interface Write {
  readonly takesRevision: boolean;
  /** Runs it and returns how to tell its caller. */
  readonly run: (context: WriteContext) => Promise<() => void>;
  readonly fail: (error: unknown) => void;
}

/** One batch is in flight at a time; committed changes are told in order of revision before callers are answered. */
export function createWriterQueue(
  db: Kysely<Database>,
  onChanges: (changes: readonly AnnouncedRecord[]) => void,
): WriterQueue {
  let waiting: Write[] = [];
  let running: Promise<void> | null = null;

  async function runAll(): Promise<void> {
    // Everything that arrives in this turn of the event loop shares the first commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BATCH);
      waiting = waiting.slice(MAX_BATCH);
      await commitAll(batch);
    }
    running = null;
  }

  async function commitAll(batch: readonly Write[]): Promise<void> {
    try {
      await waitForLock(() => commit(batch));
    } catch (error) {
      // One of them may be at fault: none of the others shall suffer for it. For a lock none is, and each would wait anew.
      if (batch.length === 1 || isLocked(error)) for (const write of batch) write.fail(error);
      else for (const write of batch) await commitAll([write]);
    }
  }

  async function commit(batch: readonly Write[]): Promise<void> {
    const changes: AnnouncedRecord[] = [];
    const answers = await db.transaction().execute(async (trx) => {
      const revisions = await takeRevisions(trx, batch.filter((write) => write.takesRevision).length);
      const context = {
        trx,
        takeRevision: revisions,
        changed: (record: AnnouncedRecord) => changes.push(record),
      };
      const results: (() => void)[] = [];
      for (const write of batch) results.push(await write.run(context));
      return results;
    });
    if (changes.length > 0) onChanges(changes);
    for (const answer of answers) answer();
  }

  return {
    write: (takesRevision, run) =>
      new Promise((resolve, reject) => {
        waiting.push({
          takesRevision,
          run: async (context) => resolve.bind(null, await run(context)),
          fail: (error) => {
            reject(new StoreUnavailableError(error));
          },
        });
        running ??= runAll();
      }),
    drain: async () => {
      await running;
    },
  };
}

/** The counter's row is locked before anything else is written, so that commits happen in order of revision. */
async function takeRevisions(trx: Transaction<Database>, count: number): Promise<() => number> {
  if (count === 0) return () => never();
  const { value } = await trx
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', count) }))
    .where('name', '=', 'revision')
    .returning('value')
    .executeTakeFirstOrThrow();
  let next = Number(value) - count;
  return () => (next += 1);
}

function never(): never {
  throw new Error('a write took a revision without having said so');
}
