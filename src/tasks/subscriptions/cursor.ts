import { StoreUnavailableError } from '../store.ts';
import type { VisibleRecord } from '../task.ts';
import type { FeedListener } from './feed.ts';

/** Receives the changes of a subscription. */
export interface ChangeSink {
  /** Called for each change, in order of revision. */
  take(change: VisibleRecord): void;
  /** Called after the last change that is available now. */
  flush(): void;
  /** Backpressure: true pauses the changes until the sink calls `resume`. */
  isFull(): boolean;
  /** Called once, after the last change. */
  end(): void;
  /** Called once in place of `end`, with the error. */
  fail(error: unknown): void;
}

export interface Following {
  /** Continues after backpressure. */
  resume(): void;
  /** Ends the subscription at once. */
  stop(): void;
}

/** Changes that are buffered while the store is read. */
const MAX_WAITING = 100;

/** Calls `run` after a delay. Returns a function that cancels it. */
export type Later = (run: () => void) => () => void;

/**
 * Delivers all changes after a revision: first from the store, then from the feed. After backpressure or a full buffer it
 * keeps only the cursor and catches up from the store. Slow sinks may miss intermediate states, never the last one.
 */
export class SubscriptionCursor implements Following {
  readonly #source: ChangeSource;
  readonly #sink: ChangeSink;
  readonly #later: Later;
  readonly #detach: () => void;
  #cursor: number;
  #state: 'reading' | 'live' | 'resting' | 'over' = 'reading';
  /** Changes from the feed while the store is read; null after an overflow. */
  #waiting: VisibleRecord[] | null = [];
  #hasBegun = false;
  #cancelRetry: (() => void) | null = null;

  /** `later` delays retries during an outage. */
  constructor(source: ChangeSource, after: number, sink: ChangeSink, later: Later) {
    this.#source = source;
    this.#sink = sink;
    this.#later = later;
    this.#cursor = after;
    // Attach before reading: every change is then in the page or in the buffer.
    this.#detach = source.attach((changes) => {
      this.#receive(changes);
    });
    void this.#read();
  }

  resume(): void {
    if (this.#state === 'resting') void this.#read();
  }

  stop(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#waiting = null;
    this.#cancelRetry?.();
    this.#detach();
  }

  #receive(changes: readonly VisibleRecord[]): void {
    if (this.#state === 'live') this.#deliver(changes);
    else if (this.#waiting && this.#waiting.length + changes.length <= MAX_WAITING)
      this.#waiting.push(...changes);
    else this.#waiting = null;
  }

  async #read(): Promise<void> {
    this.#state = 'reading';
    try {
      for (;;) {
        this.#waiting = [];
        const page = await this.#source.read(this.#cursor);
        if (this.#isOver()) return;
        this.#hasBegun = true;
        if (this.#catchUp(page)) return;
      }
    } catch (error) {
      if (!this.#isOver()) this.#retryOrFail(error);
    }
  }

  /** Returns whether reading is finished. */
  #catchUp({ changes, hasMore, isEnd }: Page): boolean {
    const waiting = this.#waiting;
    const isAll = waiting !== null && !hasMore;
    const readTo = changes.at(-1)?.revision ?? this.#cursor;
    // The feed may be behind what was read.
    this.#deliver(isAll ? [...changes, ...waiting.filter(({ revision }) => revision > readTo)] : changes);
    if (this.#state !== 'reading') return true;
    if (isEnd) this.#end();
    else if (isAll) this.#state = 'live';
    return isEnd || isAll;
  }

  #deliver(changes: readonly VisibleRecord[]): void {
    for (const change of this.#source.isNewestEnough ? changes.slice(-1) : changes) {
      if (change.revision <= this.#cursor) continue;
      this.#cursor = change.revision;
      this.#sink.take(change);
      if (this.#source.isEnd(change)) {
        this.#end();
        return;
      }
      if (this.#sink.isFull()) {
        this.#state = 'resting';
        this.#waiting = null;
        break;
      }
    }
    this.#sink.flush();
  }

  #end(): void {
    this.stop();
    this.#sink.flush();
    this.#sink.end();
  }

  #retryOrFail(error: unknown): void {
    // The first read reports its error to the client. Later reads retry until the outage ends.
    if (this.#hasBegun && error instanceof StoreUnavailableError) {
      this.#waiting = null;
      this.#cancelRetry = this.#later(() => void this.#read());
      return;
    }
    this.stop();
    this.#sink.fail(error);
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }
}

/** Changes after a revision, from the store. */
export interface Page {
  /** Each task in its newest state, in order of revision. */
  readonly changes: readonly VisibleRecord[];
  /** There may be newer changes. */
  readonly hasMore: boolean;
  /** No change can follow these. */
  readonly isEnd: boolean;
}

/** The subject of a subscription: one task, or all tasks of an owner. */
export interface ChangeSource {
  /** Calls `listener` for every change from now on. Returns a function that detaches it. */
  attach(listener: FeedListener): () => void;
  /** The oldest changes after `revision`. Rejects with StoreUnavailableError. */
  read(revision: number): Promise<Page>;
  /** Whether no change can follow this one. */
  isEnd(change: VisibleRecord): boolean;
  /** Whether only the newest of several waiting changes is delivered. */
  readonly isNewestEnough: boolean;
}
