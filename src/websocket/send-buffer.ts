import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** So many bytes may wait for a client before nothing more is made for it. */
const FULL_AT = 64 * 1024;
/** It has drained when no more than this waits. */
const DRAINED_AT = FULL_AT / 2;

/** What a subscription needs of an outlet. */
export type SendBudget = Pick<
  SendBuffer,
  'hold' | 'release' | 'isBehind' | 'isFull' | 'onDrain' | 'sendFrame'
>;

/** What is sent to one client: knows how much waits for it, and says when it has drained. */
export class SendBuffer {
  readonly #socket: WebSocket;
  /** The connection below the socket, which holds all that waits: ws itself holds nothing back. */
  readonly #stream: Duplex;
  #onDrain: (() => void)[] = [];
  #taken = 0;
  #isHeld = false;
  #isBehind = false;
  /** What was sent since it was held, as long as it is one frame: that leaves quicker if nothing is corked for it. */
  #first: Buffer | null = null;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** How many messages have left for the client. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether the client had not taken everything when this was held last. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** `onTaken` is called when it has left; never when the client goes away before. */
  send(message: string, onTaken?: () => void): void {
    this.#cork();
    this.#socket.send(message, (error) => {
      this.#sent(error);
      if (!error) onTaken?.();
    });
  }

  /**
   * Sends a WebSocket frame that is ready, past what ws does for each message. Its order among other messages is kept,
   * because ws itself holds none back as long as nothing is compressed.
   */
  sendFrame(frame: Buffer): void {
    if (!this.#isOpen()) return;
    if (this.#isHeld && !this.#first && this.#stream.writableCorked === 0) this.#first = frame;
    else {
      this.#cork();
      this.#stream.write(frame, this.#sent);
    }
  }

  /** Has all that is sent until `release` leave in one go. */
  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#isBehind = this.#stream.writableLength > 0;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.#first) this.#writeFirst(this.#first);
    else this.#stream.uncork();
  }

  isFull(): boolean {
    // Nothing more is sent to a client from which we have taken leave.
    if (!this.#isOpen()) return true;
    if (this.#stream.writableLength + (this.#first?.length ?? 0) < FULL_AT) return false;
    // What is held back was not offered to the client yet.
    this.release();
    return this.#stream.writableLength >= FULL_AT;
  }

  /** Calls `run` once it has drained; never when its socket closes before. */
  onDrain(run: () => void): void {
    this.#onDrain.push(run);
  }

  // One for all messages, since there are many.
  readonly #sent = (error?: Error | null): void => {
    // A closing socket: its `close` ends what would have gone on.
    if (error) return;
    this.#taken += 1;
    if (this.#onDrain.length === 0 || !this.#isOpen() || this.#stream.writableLength > DRAINED_AT) return;
    const waiting = this.#onDrain;
    this.#onDrain = [];
    for (const run of waiting) run();
  };

  /** For more than one message in a go, and for those that go another way: what came first leaves first. */
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
