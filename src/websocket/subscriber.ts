import { MessageType } from 'graphql-ws';
import type { SendBudget } from './send-buffer.ts';
import type { LiveCounts } from './socket.ts';

/** A committed change, of which the live side knows nothing but its place in the order of all changes. */
export interface Change {
  readonly revision: number;
}

/** Where a subscription's changes go; see `Followable`. */
export interface ChangeSink {
  take(change: Change): void;
  flush(): void;
  isFull(): boolean;
  end(): void;
  fail(error: unknown): void;
}

/**
 * A subscription that may begin. It calls `take` for each change, `flush` after the last one that there is, and `end`
 * or `fail` at last. A sink that says it is full gets nothing until it calls `resume`, and then all that counts by then.
 */
export interface Followable {
  follow(sink: ChangeSink): { resume(): void; stop(): void };
}

export function isFollowable(value: object): value is Followable {
  return 'follow' in value && typeof value.follow === 'function';
}

type Done = IteratorResult<never, undefined>;

const DONE: Done = { done: true, value: undefined };

interface SubscriberOptions {
  /** The subscription's id on its socket. */
  readonly id: string;
  readonly outlet: SendBudget;
  readonly source: Followable;
  /** The result for a change, as JSON in UTF-8. */
  readonly render: (change: Change) => Uint8Array;
  readonly counts: LiveCounts;
  /** What its client may see of an error. */
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
    const { counts, outlet, render } = this.#options;
    counts.deliveries += 1;
    outlet.hold();
    outlet.sendFrame(nextFrame(this.#head, render(change), outlet.isBehind));
  }

  flush(): void {
    this.#options.outlet.release();
  }

  isFull(): boolean {
    const { counts, outlet } = this.#options;
    if (!outlet.isFull()) return false;
    counts.rests += 1;
    outlet.onDrain(() => this.#following?.resume());
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

const TAIL = '}'.charCodeAt(0);

/** RFC 6455, 5.2: a whole message (FIN) of text (opcode 1); servers do not mask. */
const WHOLE_TEXT = 0x81;
/** Longer payloads say so, and tell their length in the two or eight bytes that follow. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/** What stands before the result in each `next` message of a subscription, as UTF-8. */
function headOf(id: string): Buffer {
  return Buffer.from(`{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`);
}

/**
 * A `next` message as a WebSocket frame, of a head and a result that many have in common. `mayWait` is whether it may be
 * kept for a while.
 */
function nextFrame(head: Buffer, result: Uint8Array, mayWait: boolean): Buffer {
  const length = head.length + result.length + 1;
  const size = sizeOfStart(length) + length;
  // Small buffers share their memory with others, which is quick, and keep all of it from being freed: a few messages that
  // wait for a client would hold many times their size.
  const frame = mayWait ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size);
  const at = writeStart(frame, length);
  frame.set(head, at);
  frame.set(result, at + head.length);
  frame[size - 1] = TAIL;
  return frame;
}

function sizeOfStart(length: number): number {
  if (length <= SHORT) return 2;
  return length <= 0xffff ? 4 : 10;
}

/** Returns where the payload begins. */
function writeStart(frame: Buffer, length: number): number {
  frame[0] = WHOLE_TEXT;
  if (length <= SHORT) return frame.writeUInt8(length, 1);
  if (length <= 0xffff) {
    frame[1] = IN_TWO_BYTES;
    return frame.writeUInt16BE(length, 2);
  }
  frame[1] = IN_EIGHT_BYTES;
  return frame.writeBigUInt64BE(BigInt(length), 2);
}
