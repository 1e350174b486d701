import type { ChangeSource } from './change-source.ts';
import { Follower, type ChangeSink, type Following, type Later } from './follower.ts';
import type { AnnouncedRecord } from './task.ts';

type Result = IteratorResult<AnnouncedRecord, undefined>;

interface Reader {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: Result = { done: true, value: undefined };
/** How many changes are kept for a reader that rests. */
const MAX_READY = 100;

export interface WatchOptions {
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
export class Watch implements AsyncIterableIterator<AnnouncedRecord, undefined, undefined>, ChangeSink {
  readonly #options: WatchOptions;
  readonly #maxReady: number;
  #following: Following | null = null;
  /** Taken and not read yet; never holds anything while a reader waits. */
  readonly #ready: AnnouncedRecord[] = [];
  #reader: Reader | null = null;
  #isOpen = true;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#maxReady = options.source.isNewestEnough ? 0 : MAX_READY;
  }

  /** Brings everything to `sink` in place of a reader. */
  follow(sink: ChangeSink): Following {
    const { after, later, source } = this.#options;
    this.#following = new Follower(source, after, sink, later);
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

  take(change: AnnouncedRecord): void {
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
