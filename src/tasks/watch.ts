import type { AnnouncedRecord } from './task.ts';

/** A stream of task states with one reader; `return()` ends it at once, also while `next()` is waiting. */
export type Watch = AsyncIterableIterator<AnnouncedRecord, undefined, undefined>;

/** What a watch reads from. */
export interface WatchSource {
  /**
   * The next states, 'wait' when there are none until the watch is woken, or 'end'. Never called again before its
   * promise is settled; a rejection ends the watch.
   */
  readonly pull: () => Promise<readonly AnnouncedRecord[] | 'wait' | 'end'>;
  /** Called exactly once, when the watch ends for whatever reason. */
  readonly detach: () => void;
}

type Result = IteratorResult<AnnouncedRecord, undefined>;

interface Reader {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: Result = { done: true, value: undefined };

/**
 * An iterator over a source. Written by hand because an async generator cannot be ended while it waits: its `return()`
 * would hang, and its listener stay attached, until the next event of a task that may never have one.
 */
export class SourceWatch implements Watch {
  readonly #source: WatchSource;
  /** Pulled and not read yet; never holds anything while a reader waits. */
  readonly #ready: AnnouncedRecord[] = [];
  #reader: Reader | null = null;
  #isOpen = true;
  #isPulling = false;
  #isWoken = false;

  constructor(source: WatchSource) {
    this.#source = source;
  }

  /** Has the source asked again if a reader waits: it has something new. */
  wake(): void {
    this.#isWoken = true;
    if (this.#reader && !this.#isPulling) void this.#pull();
  }

  next(): Promise<Result> {
    if (!this.#isOpen) return Promise.resolve(DONE);
    if (this.#reader) return Promise.reject(new Error('next() was called before the last one was answered'));
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      if (!this.#deliver() && !this.#isPulling) void this.#pull();
    });
  }

  return(): Promise<Result> {
    this.#end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #pull(): Promise<void> {
    this.#isPulling = true;
    try {
      do {
        this.#isWoken = false;
        const pulled = await this.#source.pull();
        if (pulled === 'end') this.#end();
        else if (pulled !== 'wait') this.#ready.push(...pulled);
      } while (!this.#deliver() && this.#mustPullAgain());
    } catch (error) {
      this.#end((reader) => {
        reader.reject(error);
      });
    } finally {
      this.#isPulling = false;
    }
  }

  #mustPullAgain(): boolean {
    return this.#reader !== null && this.#isWoken;
  }

  #deliver(): boolean {
    if (!this.#reader) return false;
    const record = this.#ready.shift();
    if (!record) return false;
    this.#reader.resolve({ done: false, value: record });
    this.#reader = null;
    return true;
  }

  #end(
    answer = (reader: Reader): void => {
      reader.resolve(DONE);
    },
  ): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#ready.length = 0;
    this.#source.detach();
    if (this.#reader) answer(this.#reader);
    this.#reader = null;
  }
}
