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
import { createOwnerPages, type ReadOwnerPage } from './catch-up.ts';
import type { TaskStore } from '../store.ts';

type Result = IteratorResult<VisibleRecord, undefined>;

interface Reader {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: Result = { done: true, value: undefined };
/** How many changes are kept for a reader that rests. */
const MAX_READY = 100;

interface TaskSubscriptionOptions {
  readonly source: ChangeSource;
  /** Everything newer than this revision is shown. */
  readonly after: number;
  readonly later: Later;
}

/**
 * A subscription that was let in. It has one reader: whoever iterates over it, or the sink that it is told to `follow`.
 * Nothing happens before that. As an iterator it is written by hand because an async generator cannot be ended while it
 * waits: its `return()` would hang, and its listener stay attached, until the next event of a task that may never have one.
 */
export class TaskSubscription
  implements AsyncIterableIterator<VisibleRecord, undefined, undefined>, ChangeSink
{
  readonly #options: TaskSubscriptionOptions;
  readonly #maxReady: number;
  #following: Following | null = null;
  /** Taken and not read yet; never holds anything while a reader waits. */
  readonly #ready: VisibleRecord[] = [];
  #reader: Reader | null = null;
  #isOpen = true;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: TaskSubscriptionOptions) {
    this.#options = options;
    this.#maxReady = options.source.isNewestEnough ? 0 : MAX_READY;
  }

  /** Brings everything to `sink` in place of a reader. */
  follow(sink: ChangeSink): Following {
    const { after, later, source } = this.#options;
    this.#following = new SubscriptionCursor(source, after, sink, later);
    return this.#following;
  }

  next(): Promise<Result> {
    if (this.#reader) return Promise.reject(new Error('next() was called before the last one was answered'));
    const record = this.#ready.shift();
    if (record) return Promise.resolve({ done: false, value: record });
    if (!this.#isOpen) return this.#over();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      if (this.#following) this.#following.resume();
      else this.follow(this);
    });
  }

  /** Ends it at once, also while `next()` is waiting. */
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
    // Taken is ready.
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

  /** The reason is told once. */
  #over(): Promise<Result> {
    const failure = this.#failure;
    this.#failure = null;
    return failure ? Promise.reject(toError(failure.error)) : Promise.resolve(DONE);
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * One task as it is now (left out when not newer than `after`), then its newest state after each change, ending after
 * its terminal state. A reader that is slow skips states and never the last one.
 * Rejects with NOT_FOUND or, for an `after` beyond the newest revision, BAD_USER_INPUT.
 */
export async function watchTask(
  ports: TaskPorts,
  owner: string,
  id: string,
  after: number | null,
): Promise<TaskSubscription> {
  const { clock, store, timings } = ports;
  await assertKnownRevision(store, after);
  const found = await store.find(owner, id);
  if (!found) throw noSuchTask(id);
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
      // One that is gone changes no more.
      return { changes, hasMore: false, isEnd: !task || isTerminal(task.state) };
    },
    isEnd: ({ state }) => isTerminal(state),
    isNewestEnough: true,
  };
}

export function noSuchTask(id: string): RequestError {
  return new RequestError('NOT_FOUND', `There is no task "${id.slice(0, 100)}" that you may see.`);
}

/**
 * Returns how to watch all tasks of an owner: every change of every task, never ending by itself. It begins with all
 * tasks that changed after the revision `after` (now, when null), each in its newest state, in order of revision.
 * A store that is away makes it wait, once it has begun. Rejects with BAD_USER_INPUT for an `after` beyond the newest revision.
 */
export function createWatchTasks(
  ports: TaskPorts,
): (owner: string, after: number | null) => Promise<TaskSubscription> {
  const { clock, store, timings } = ports;
  const readPage = createOwnerPages(store);
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

/** `after` must be a revision that has been given: asked of the store, since other processes give them too. */
async function assertKnownRevision(store: TaskStore, after: number | null): Promise<void> {
  if (after === null) return;
  const newest = await store.newestRevision();
  if (after < 0 || after > newest)
    throw new RequestError(
      'BAD_USER_INPUT',
      `after: ${after} is not a revision between 0 and the newest one, ${newest}. Query tasks { revision } and begin there.`,
    );
}
