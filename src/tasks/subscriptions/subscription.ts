import {
  type ChangeSource,
  SubscriptionCursor,
  type ChangeSink,
  type Following,
  type Later,
} from './cursor.ts';
import { type VisibleRecord, isTerminal } from '../task.ts';
import type { TaskPorts } from '../ports.ts';
import { RequestError } from '../failure.ts';
import { requireTask } from '../list.ts';
import { createOwnerPages, type ReadOwnerPage } from './catch-up.ts';
import type { TaskStore } from '../store.ts';

type Result = IteratorResult<VisibleRecord, undefined>;

interface Reader {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: Result = { done: true, value: undefined };
/** Changes that are buffered for a slow reader. */
const MAX_READY = 100;

interface TaskSubscriptionOptions {
  readonly source: ChangeSource;
  /** Changes after this revision are delivered. */
  readonly after: number;
  readonly later: Later;
}

/**
 * An accepted subscription with one reader: an iterator, or the sink of `follow`. It starts with its reader. Not an async
 * generator: `return()` of a generator waits for the pending `next()`, which may never resolve.
 */
export class TaskSubscription
  implements AsyncIterableIterator<VisibleRecord, undefined, undefined>, ChangeSink
{
  readonly #options: TaskSubscriptionOptions;
  readonly #maxReady: number;
  #following: Following | null = null;
  /** Changes that are not read yet; empty while `next()` is pending. */
  readonly #ready: VisibleRecord[] = [];
  #reader: Reader | null = null;
  #isOpen = true;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: TaskSubscriptionOptions) {
    this.#options = options;
    this.#maxReady = options.source.isNewestEnough ? 0 : MAX_READY;
  }

  /** Delivers to `sink` instead of an iterator. */
  follow(sink: ChangeSink): Following {
    const { after, later, source } = this.#options;
    this.#following = new SubscriptionCursor(source, after, sink, later);
    return this.#following;
  }

  next(): Promise<Result> {
    if (this.#reader) return Promise.reject(new Error('next() was called while another next() is pending'));
    const record = this.#ready.shift();
    if (record) return Promise.resolve({ done: false, value: record });
    if (!this.#isOpen) return this.#result();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      if (this.#following) this.#following.resume();
      else this.follow(this);
    });
  }

  /** Ends the subscription at once, also while `next()` is pending. */
  return(): Promise<Result> {
    this.#following?.stop();
    this.#ready.length = 0;
    this.end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  take(change: VisibleRecord): void {
    if (!this.#reader) {
      this.#ready.push(change);
      return;
    }
    this.#reader.resolve({ done: false, value: change });
    this.#reader = null;
  }

  flush(): void {
    // `take` delivers at once.
  }

  isFull(): boolean {
    return !this.#reader && this.#ready.length >= this.#maxReady;
  }

  end(): void {
    this.#isOpen = false;
    this.#reader?.resolve(DONE);
    this.#reader = null;
  }

  fail(error: unknown): void {
    this.#isOpen = false;
    if (this.#reader) this.#reader.reject(error);
    else this.#failure = { error };
    this.#reader = null;
  }

  /** Reports a failure once. */
  #result(): Promise<Result> {
    const failure = this.#failure;
    this.#failure = null;
    return failure ? Promise.reject(toError(failure.error)) : Promise.resolve(DONE);
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The current state of a task if it is newer than `after`, then each change until the final state. Slow readers may miss
 * intermediate states, never the last one. Rejects with NOT_FOUND, or with BAD_USER_INPUT for an unknown revision.
 */
export async function watchTask(
  ports: TaskPorts,
  owner: string,
  id: string,
  after: number | null,
): Promise<TaskSubscription> {
  const { clock, store, timings } = ports;
  await assertKnownRevision(store, after);
  const found = await requireTask(store, owner, id);
  return new TaskSubscription({
    source: changesOfTask(ports, owner, found.id),
    after: after ?? 0,
    later: (run) => clock.after(timings.outcomeLook, run),
  });
}

function changesOfTask({ feed, store }: TaskPorts, owner: string, id: string): ChangeSource {
  return {
    attach: (listener) => feed.onTask(id, listener),
    async read(revision) {
      await store.follow();
      const task = await store.find(owner, id);
      const changes = task && task.revision > revision ? [task] : [];
      // A deleted task does not change any more.
      return { changes, hasMore: false, isEnd: !task || isTerminal(task.state) };
    },
    isEnd: ({ state }) => isTerminal(state),
    isNewestEnough: true,
  };
}

/**
 * Every change of every task of an owner, without end. Starts with the tasks that changed after the revision `after` (null
 * for none), each in its newest state. Waits during an outage. Rejects with BAD_USER_INPUT for an unknown revision.
 */
export function createWatchTasks(
  ports: TaskPorts,
): (owner: string, after: number | null) => Promise<TaskSubscription> {
  const { clock, store, timings } = ports;
  const readPage = createOwnerPages(ports);
  return async (owner, after) => {
    await assertKnownRevision(store, after);
    return new TaskSubscription({
      source: changesOfOwner(ports, owner, readPage),
      after: after ?? (await store.newestRevision()),
      later: (run) => clock.after(timings.outcomeLook, run),
    });
  };
}

function changesOfOwner({ feed }: TaskPorts, owner: string, readPage: ReadOwnerPage): ChangeSource {
  return {
    attach: (listener) => feed.onOwner(owner, listener),
    read: (after) => readPage(owner, after),
    isEnd: () => false,
    isNewestEnough: false,
  };
}

/** Reads the newest revision from the store, because other replicas assign revisions too. */
async function assertKnownRevision(store: TaskStore, after: number | null): Promise<void> {
  if (after === null) return;
  const newest = await store.newestRevision();
  if (after < 0 || after > newest)
    throw new RequestError(
      'BAD_USER_INPUT',
      `after: ${after} is not a revision between 0 and the newest, ${newest}. Query tasks { revision } and start from it.`,
    );
}
