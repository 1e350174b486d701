import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** Smaller chunks are gathered; larger ones take little more memory than their bytes. */
const SMALL_BYTES = 1024;
/** When so much is gathered, the client has to wait: one read of a socket. */
const FULL_BYTES = 64 * 1024;
/** Parsing a chunk costs as much as hundreds of bytes. After so many chunks, they need this size on average. */
const MAX_FINE_CHUNKS = 1024;
const MIN_MEAN_BYTES = 64;

/** Not a field of the class: Node's constructor sets `_dumped` before the fields exist. */
const dumped = new WeakSet<Incoming>();

/** Node's request, but it ignores upgrades to anything but WebSockets, and limits the cost of small chunks in its body. */
export class Incoming extends IncomingMessage {
  #gathered: Buffer | null = null;
  #length = 0;
  #chunks = 0;
  #bytes = 0;
  #whenRead: (() => void) | null = null;

  /**
   * Whether this is a WebSocket handshake. With a listener for upgrades, Node.js passes it every upgrade, such as h2c, which a
   * server may ignore (RFC 9110, 7.8). From Node.js 24.9 on, `shouldUpgradeCallback` can replace this.
   * https://github.com/nodejs/node/blob/v20.19.0/lib/_http_server.js#L1032
   */
  get upgrade(): boolean {
    if (this.method === 'CONNECT') return true;
    return asksFor(this, 'upgrade', 'websocket') && asksFor(this, 'connection', 'upgrade');
  }

  set upgrade(_: boolean) {
    // Node.js sets it, and the getter decides.
  }

  /**
   * Always false, because Node.js would no longer call `push`, which counts the chunks.
   * https://github.com/nodejs/node/blob/v20.19.0/lib/_http_common.js#L146
   */
  get _dumped(): boolean {
    return false;
  }

  set _dumped(isDumped: boolean) {
    if (isDumped) dumped.add(this);
  }

  /** Gathers small chunks until somebody reads: each chunk in the queue of the stream takes some hundred bytes. */
  override push(chunk: Buffer | null): boolean {
    if (chunk !== null && this.#isTooFine(chunk)) {
      cut(this.socket);
      return false;
    }
    if (chunk !== null && dumped.has(this)) return true;
    if (chunk !== null && this.readableFlowing === null && chunk.length < SMALL_BYTES)
      return this.#gather(chunk);
    this.#release();
    return super.push(chunk);
  }

  /** Calls `run` once, when somebody begins to read the body. */
  whenRead(run: () => void): void {
    this.#whenRead = run;
  }

  override _read(size: number): void {
    this.#whenRead?.();
    this.#whenRead = null;
    this.#release();
    super._read(size);
  }

  #isTooFine({ length }: Buffer): boolean {
    this.#chunks += 1;
    this.#bytes += length;
    return this.#chunks > MAX_FINE_CHUNKS && this.#bytes < this.#chunks * MIN_MEAN_BYTES;
  }

  #gather(chunk: Buffer): boolean {
    this.#gathered ??= Buffer.allocUnsafe(SMALL_BYTES);
    if (this.#gathered.length < this.#length + chunk.length)
      this.#gathered = Buffer.concat([this.#gathered], this.#gathered.length * 2);
    chunk.copy(this.#gathered, this.#length);
    this.#length += chunk.length;
    return this.#length < FULL_BYTES;
  }

  #release(): void {
    const gathered = this.#gathered?.subarray(0, this.#length);
    this.#gathered = null;
    this.#length = 0;
    if (gathered) super.push(gathered);
  }
}

/** The parser of a socket. Node.js calls members with these numbers for each request and each chunk of a body. */
interface Parsed extends Socket {
  readonly parser?:
    (Record<number, unknown> & { constructor: { kOnBody: number; kOnHeadersComplete: number } }) | null;
}

/**
 * Destroys a connection. Its parser goes on to the end of the last read, up to 64 KiB, but without calling anything for it. Node.js
 * uses the parser again for other connections, so it gets its callbacks back.
 * https://github.com/nodejs/node/blob/v20.19.0/lib/_http_common.js#L187
 */
export function cut(socket: Parsed): void {
  const { parser } = socket;
  if (socket.destroyed || !parser) return;
  const { kOnBody, kOnHeadersComplete } = parser.constructor;
  const { [kOnBody]: onBody, [kOnHeadersComplete]: onHeadersComplete } = parser;
  parser[kOnBody] = null;
  parser[kOnHeadersComplete] = null;
  socket.once('close', () => {
    parser[kOnBody] = onBody;
    parser[kOnHeadersComplete] = onHeadersComplete;
  });
  socket.destroy();
}

function asksFor({ headers }: IncomingMessage, name: 'connection' | 'upgrade', token: string): boolean {
  const tokens = headers[name]?.split(',') ?? [];
  return tokens.some((part) => part.trim().toLowerCase() === token);
}
