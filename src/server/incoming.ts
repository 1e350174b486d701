import { IncomingMessage } from 'node:http';

/** Chunks below this size are gathered; larger ones take little more memory than their bytes. */
const SMALL_BYTES = 1024;
/** So many bytes are gathered before the sender has to wait: one read of a socket. */
const FULL_BYTES = 64 * 1024;

/** A request as Node's parser makes it, but for two things that Node does with requests that nobody has asked for yet. */
export class Incoming extends IncomingMessage {
  #gathered: Buffer | null = null;
  #length = 0;

  /**
   * Whether the connection is to become something else. Node hands over every request that asks for that as soon as there
   * is a listener for upgrades; here only WebSockets are, and others, such as h2c, are answered as without it (RFC 9110,
   * 7.8). From Node.js 24.9 on, `shouldUpgradeCallback` can say the same. What is pipelined behind such a request is lost by
   * the parser, whether there is a listener or not.
   * https://github.com/nodejs/node/blob/v20.19.0/lib/_http_server.js#L1032
   */
  get upgrade(): boolean {
    if (this.method === 'CONNECT') return true;
    return asksFor(this, 'upgrade', 'websocket') && asksFor(this, 'connection', 'upgrade');
  }

  set upgrade(_: boolean) {
    // What the parser takes for one is looked at when it is asked for.
  }

  /**
   * As long as nobody reads, small chunks are gathered: in a queue each of them takes some hundred bytes.
   */
  override push(chunk: Buffer | null): boolean {
    if (chunk !== null && this.readableFlowing === null && chunk.length < SMALL_BYTES)
      return this.#gather(chunk);
    this.#release();
    return super.push(chunk);
  }

  override _read(size: number): void {
    this.#release();
    super._read(size);
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

function asksFor({ headers }: IncomingMessage, name: 'connection' | 'upgrade', token: string): boolean {
  const tokens = headers[name]?.split(',') ?? [];
  return tokens.some((part) => part.trim().toLowerCase() === token);
}
