import { MessageType } from 'graphql-ws';
import type { SendBudget } from './send-buffer.ts';
import type { LiveCounts } from './socket.ts';

/** A committed change. This folder knows only its place in the order of all changes. */
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
 * A subscription that has not started. It calls `take` for each change, `flush` after the last one available, and finally
 * `end` or `fail`. A full sink gets nothing until it calls `resume`, and then catches up.
 */
interface Followable {
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
  readonly sendBuffer: SendBudget;
  readonly source: Followable;
  /** The result for a change, as JSON in UTF-8. */
  readonly render: (change: Change) => Uint8Array;
  readonly counts: LiveCounts;
  /** What the client may see of an error. */
  readonly maskError: (error: unknown) => Error;
  /** Called once, at the end for any reason. */
  readonly onEnd: () => void;
}

/**
 * One subscription of one socket. Events go straight to the socket. graphql-ws needs an async iterator to learn when the
 * subscription ends or fails; the iterator never yields a value.
 */
export class Subscriber implements AsyncIterableIterator<never, undefined, undefined>, ChangeSink {
  readonly #options: SubscriberOptions;
  /** The start of each `next` message. */
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
    const { counts, sendBuffer, render } = this.#options;
    counts.deliveries += 1;
    sendBuffer.hold();
    sendBuffer.sendFrame(nextFrame(this.#head, render(change), sendBuffer.isBehind));
  }

  flush(): void {
    this.#options.sendBuffer.release();
  }

  isFull(): boolean {
    const { counts, sendBuffer } = this.#options;
    if (!sendBuffer.isFull()) return false;
    counts.rests += 1;
    sendBuffer.onDrain(() => this.#following?.resume());
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
/** Longer payloads have their length in the next two or eight bytes. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

/** The part of each `next` message before the result, as UTF-8. */
function headOf(id: string): Buffer {
  return Buffer.from(`{"id":${JSON.stringify(id)},"type":"${MessageType.Next}","payload":`);
}

/**
 * A `next` message as a WebSocket frame: a head of its own and a result that a group shares. `mayWait`: the frame may be
 * buffered.
 */
function nextFrame(head: Buffer, result: Uint8Array, mayWait: boolean): Buffer {
  const length = head.length + result.length + 1;
  const size = sizeOfStart(length) + length;
  // Pooled buffers are fast, but one that is buffered keeps its whole pool in memory.
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

/** Returns the offset of the payload. */
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
