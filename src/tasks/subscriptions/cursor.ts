import { StoreUnavailableError } from '../store.ts';
import type { VisibleRecord } from '../task.ts';
import type { FeedListener } from './feed.ts';

/** Where a follower brings changes. */
export interface ChangeSink {
  /** Called with one change after the other, in order of revision. */
  take(change: VisibleRecord): void;
  /** Called when all changes that there were have been taken. */
  flush(): void;
  /** Whether it wants no more for now. When it does again, it calls `resume`. */
  isFull(): boolean;
  /** Called last, when nothing comes any more. */
  end(): void;
  /** The same, with the reason. */
  fail(error: unknown): void;
}

/** A subscription that is being followed. */
export interface Following {
  /** The sink has room again. */
  resume(): void;
  /** Brings nothing more, from now on. */
  stop(): void;
}

/** How many changes are kept that come while the store is read. */
const MAX_WAITING = 100;

/** Calls `run` after a while, unless the returned function is called before. */
export type Later = (run: () => void) => () => void;

/**
 * Brings everything that is newer than a revision to a sink, first from the store and then as it happens. Whenever it
 * cannot be sure to know all, or the sink is full, it forgets everything but how far it came and reads the store again:
 * so a slow sink skips states and never loses the last one.
 */
export class SubscriptionCursor implements Following {
  readonly #source: ChangeSource;
  readonly #sink: ChangeSink;
  readonly #later: Later;
  readonly #detach: () => void;
  #cursor: number;
  #state: 'reading' | 'live' | 'resting' | 'over' = 'reading';
  /** What came while the store is read; null when that was too much. */
  #waiting: VisibleRecord[] | null = [];
  #hasBegun = false;
  #cancelRetry: (() => void) | null = null;

  /** `later` is when to ask a store again that is away. */
  constructor(source: ChangeSource, after: number, sink: ChangeSink, later: Later) {
    this.#source = source;
    this.#sink = sink;
    this.#later = later;
    this.#cursor = after;
    // Before the store is read: a change in between is in one or the other.
    this.#detach = source.attach((changes) => {
      this.#hear(changes);
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

  #hear(changes: readonly VisibleRecord[]): void {
    if (this.#state === 'live') this.#bring(changes);
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

  /** Returns whether the store does not have to be read again for now. */
  #catchUp({ changes, hasMore, isEnd }: Page): boolean {
    const waiting = this.#waiting;
    const isAll = waiting !== null && !hasMore;
    this.#bring(isAll ? [...changes, ...waiting] : changes);
    if (this.#state !== 'reading') return true;
    if (isEnd) this.#end();
    else if (isAll) this.#state = 'live';
    return isEnd || isAll;
  }

  #bring(changes: readonly VisibleRecord[]): void {
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
    // At the beginning there is somebody to be told; later the sink catches up when the store is back.
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

/** What changed after a revision, as the store knows it. */
export interface Page {
  /** Each task in its newest state, in order of revision. */
  readonly changes: readonly VisibleRecord[];
  /** There may be more that is newer. */
  readonly hasMore: boolean;
  /** Nothing comes after these. */
  readonly isEnd: boolean;
}

/** What a subscription follows: one task, or all tasks of an owner. */
export interface ChangeSource {
  /** Has `listener` told of every change from now on; the returned function detaches it. */
  attach(listener: FeedListener): () => void;
  /** The oldest changes after `revision`. Rejects with StoreUnavailableError. */
  read(revision: number): Promise<Page>;
  /** Whether nothing comes after this change. */
  isEnd(change: VisibleRecord): boolean;
  /** Of several changes that wait only the newest is of interest. */
  readonly isNewestEnough: boolean;
}
