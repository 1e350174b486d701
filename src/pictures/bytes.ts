import { broken } from './picture.ts';

/** A parser of something that comes in chunks: each `yield` asks for the next one, of whatever length. */
export type Parser<Result> = Generator<undefined, Result, Buffer>;

const NOTHING = Buffer.alloc(0);

/** No encoder makes so many parts of 10 MB; what has more was made to keep us busy. */
const MAX_PARTS = 50_000;

/** Chunks as one row of bytes; holds no more of them than what was asked for and one chunk. */
export class Bytes {
  #chunk: Buffer = NOTHING;
  #parts = 0;

  /** The bytes that are here already, at least one; `drop` passes over those that were looked at. */
  *peek(): Parser<Buffer> {
    while (this.#chunk.length === 0) this.#chunk = yield;
    return this.#chunk;
  }

  drop(count: number): void {
    this.#chunk = this.#chunk.subarray(count);
  }

  /** The next bytes, which should be few. */
  *take(count: number): Parser<Buffer> {
    const here = this.#chunk;
    if (here.length >= count) {
      this.#chunk = here.subarray(count);
      return here.subarray(0, count);
    }
    const parts: Buffer[] = [];
    yield* this.skip(count, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  /** Passes over the next bytes and shows them in parts. */
  *skip(count: number, see?: (part: Buffer) => void): Parser<void> {
    for (let left = count; left > 0;) {
      const part = (yield* this.peek()).subarray(0, left);
      this.drop(part.length);
      left -= part.length;
      see?.(part);
    }
  }

  /** To be called for each part of a picture. Throws PictureError when there are too many. */
  count(): void {
    this.#parts += 1;
    if (this.#parts > MAX_PARTS) throw broken('it has too many parts');
  }
}
