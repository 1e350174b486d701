import type { Change, ChangeSink, Followable, Group } from './group.ts';
import { headOf, nextFrame } from './frame.ts';
import type { LiveCounts } from './socket.ts';
import type { SendBudget } from './send-buffer.ts';

type Done = IteratorResult<never, undefined>;

const DONE: Done = { done: true, value: undefined };

interface SubscriberOptions {
  /** The subscription's id on its socket. */
  readonly id: string;
  readonly outlet: SendBudget;
  readonly source: Followable;
  readonly group: Group;
  readonly counts: LiveCounts;
  /** What its client is told of an error. */
  readonly maskError: (error: unknown) => Error;
  /** Called once, when it has ended for whatever reason. */
  readonly onEnd: () => void;
}

/**
 * One subscription of one socket. It writes its events to the socket itself; whoever iterates over it is given none of
 * them, only their end or the error that they end with.
 */
export class Subscriber implements AsyncIterableIterator<never, undefined, undefined>, ChangeSink {
  readonly #options: SubscriberOptions;
  /** What stands before each result. */
  readonly #head: Buffer;
  #following: ReturnType<Followable['follow']> | null = null;
  #reader: { readonly resolve: (done: Done) => void; readonly reject: (error: Error) => void } | null = null;
  #isOver = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#head = headOf(options.id);
  }

  next(): Promise<Done> {
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#following ??= this.#options.source.follow(this);
    });
  }

  return(): Promise<Done> {
    this.#following?.stop();
    this.end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  take(change: Change): void {
    const { counts, group, outlet } = this.#options;
    counts.deliveries += 1;
    outlet.hold();
    outlet.sendFrame(nextFrame(this.#head, group.render(change), outlet.isBehind));
  }

  flush(): void {
    this.#options.outlet.release();
  }

  isFull(): boolean {
    const { counts, outlet } = this.#options;
    if (!outlet.isFull()) return false;
    counts.rests += 1;
    outlet.onRoom(() => this.#following?.resume());
    return true;
  }

  end(): void {
    this.#close()?.resolve(DONE);
  }

  fail(error: unknown): void {
    this.#close()?.reject(this.#options.maskError(error));
  }

  #close() {
    const reader = this.#reader;
    if (!this.#isOver) this.#options.onEnd();
    this.#isOver = true;
    this.#reader = null;
    return reader;
  }
}
