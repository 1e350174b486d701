/** A parser of something that comes in chunks: each `yield` asks for the next one, of whatever length. */
export type Parser<Result> = Generator<undefined, Result, Buffer>;

const NOTHING = Buffer.alloc(0);

/** Chunks as one row of bytes; holds no more of them than what was asked for and one chunk. */
export class Bytes {
  #chunk: Buffer = NOTHING;

  /** The next bytes, which should be few. */
  *take(count: number): Parser<Buffer> {
    const parts: Buffer[] = [];
    yield* this.skip(count, (part) => parts.push(part));
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** Passes over the next bytes and shows them in parts. */
  *skip(count: number, see: (part: Buffer) => void = ignore): Parser<void> {
    for (let left = count; left > 0;) {
      while (this.#chunk.length === 0) this.#chunk = yield;
      const part = this.#chunk.subarray(0, left);
      this.#chunk = this.#chunk.subarray(part.length);
      left -= part.length;
      see(part);
    }
  }

  /** Passes over everything up to the next such byte, and over that. */
  *skipPast(byte: number): Parser<void> {
    for (;;) {
      const at = this.#chunk.indexOf(byte);
      this.#chunk = at < 0 ? yield : this.#chunk.subarray(at + 1);
      if (at >= 0) return;
    }
  }
}

function ignore(): void {
  // Nobody asked.
}
