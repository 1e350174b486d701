import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** The buffer is full when so many bytes wait for the client. */
const FULL_AT = 64 * 1024;
/** So much is sent in one go. Making it takes some ms, in which everybody else waits. */
const MAX_AT_ONCE = 1024 * 1024;
/** The buffer has drained when at most so many bytes wait. */
const DRAINED_AT = FULL_AT / 2;

/** The part that a subscription uses. */
export type SendBudget = Pick<
  SendBuffer,
  'hold' | 'release' | 'isBehind' | 'isFull' | 'onDrain' | 'sendFrame'
>;

/** Messages to one client, with backpressure. */
export class SendBuffer {
  readonly #socket: WebSocket;
  /** The connection below the socket. It buffers everything: ws itself buffers nothing. */
  readonly #stream: Duplex;
  #onDrain: (() => void)[] = [];
  #taken = 0;
  #isHeld = false;
  #isBehind = false;
  /** Bytes of frames since the last `release`. */
  #atOnce = 0;
  /** The only frame since `hold`, if any: one frame is faster to write without corking. */
  #first: Buffer | null = null;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** Number of messages that have left for the client. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether bytes were waiting for the client at the last `hold`. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** `onTaken` is called when the message has left; never if the socket closes first. */
  send(message: string, onTaken?: () => void): void {
    this.#cork();
    this.#socket.send(message, (error) => {
      this.#sent(error);
      if (!error) onTaken?.();
    });
  }

  /**
   * Writes a complete WebSocket frame, without the work that ws does for each message. The order of messages is kept, because
   * ws buffers none without compression.
   */
  sendFrame(frame: Buffer): void {
    if (!this.#isOpen()) return;
    if (this.#isHeld) this.#atOnce += frame.length;
    if (this.#isHeld && !this.#first && this.#stream.writableCorked === 0) this.#first = frame;
    else {
      this.#cork();
      this.#stream.write(frame, this.#sent);
    }
  }

  /** Everything that is sent until `release` leaves in one write. */
  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#isBehind = this.#stream.writableLength > 0;
  }

  release(): void {
    this.#atOnce = 0;
    this.#write();
  }

  #write(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.#first) this.#writeFirst(this.#first);
    else this.#stream.uncork();
  }

  /** Also true after `MAX_AT_ONCE` bytes before a `release`, however fast the client reads. */
  isFull(): boolean {
    // Nothing more is sent on a closing socket.
    if (!this.#isOpen()) return true;
    const isMuch = this.#atOnce >= MAX_AT_ONCE;
    if (!isMuch && this.#stream.writableLength < FULL_AT) return false;
    // Held frames were not offered to the client yet.
    this.#write();
    return isMuch || this.#stream.writableLength >= FULL_AT;
  }

  /** Calls `run` once the buffer has drained; never if the socket closes first. */
  onDrain(run: () => void): void {
    this.#onDrain.push(run);
  }

  // One function for all messages.
  readonly #sent = (error?: Error | null): void => {
    // The socket is closing, which ends its subscriptions.
    if (error) return;
    this.#taken += 1;
    if (this.#onDrain.length === 0 || !this.#isOpen() || this.#stream.writableLength > DRAINED_AT) return;
    const waiting = this.#onDrain;
    this.#onDrain = [];
    for (const run of waiting) run();
  };

  /** Called before a second message: the first one must leave first. */
  #cork(): void {
    if (!this.#isHeld || this.#stream.writableCorked > 0) return;
    this.#stream.cork();
    if (this.#first) this.#writeFirst(this.#first);
  }

  #writeFirst(frame: Buffer): void {
    this.#first = null;
    if (this.#isOpen()) this.#stream.write(frame, this.#sent);
  }

  #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }
}
