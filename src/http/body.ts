import type { IncomingMessage } from 'node:http';

/** All bodies on their way may take this much memory together. Whole ones are a matter of milliseconds. */
const MAX_BYTES_OF_ALL = 64 * 1024 * 1024;
/** Small enough to come from the pool of Node.js: a buffer of its own takes as long as parsing the usual body. */
const FIRST_BYTES = 1024;

const NO_BYTES = Buffer.alloc(0);

/** A body on its way, and the memory that it takes. */
interface Arriving {
  bytes: Buffer;
  /** Gives it up, and ends its connection. */
  readonly cut: () => void;
}

/** Oldest first. */
const arriving = new Set<Arriving>();
let bytesOfAll = 0;

/**
 * Reads a body of at most `limit` bytes; null as soon as it is larger, and then the rest is thrown away as it comes. Rejects
 * when the sender goes away.
 *
 * The bytes are copied into one buffer that grows, because each chunk is an object of some hundred bytes, however little is
 * in it. When all bodies on their way take too much, the request whose body has been on its way longest is cut.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  // The sender says itself that it is too large. The rest is thrown away once it has been answered.
  if (Number(request.headers['content-length']) > limit) return Promise.resolve(null);
  // By events: an iterator over the stream takes several times as long for the usual body of one chunk.
  return new Promise((resolve, reject) => {
    let length = 0;
    const cut = (): void => {
      fail(new Error('a body was given up, because all together took too much memory'));
      request.destroy();
    };
    const body: Arriving = { bytes: NO_BYTES, cut };
    arriving.add(body);
    const stop = (): void => {
      request.off('data', take).off('end', finish).off('error', fail).off('close', abandon);
      resize(body, 0);
      arriving.delete(body);
    };
    const finish = (): void => {
      const whole = length > limit ? null : body.bytes.subarray(0, length);
      stop();
      resolve(whole);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const abandon = (): void => {
      fail(new Error('the sender of a body went away'));
    };
    const take = (chunk: Buffer): void => {
      const start = length;
      length += chunk.length;
      if (length > limit) {
        finish();
        return;
      }
      if (length > body.bytes.length) resize(body, roomFor(length, limit), start);
      chunk.copy(body.bytes, start);
    };
    request.on('data', take).once('end', finish).once('error', fail).once('close', abandon);
  });
}

/** At least twice as much each time, so that all copying together stays in proportion to the body. */
function roomFor(length: number, limit: number): number {
  return Math.min(limit, Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(length))));
}

/** Gives a body so many bytes of memory, and keeps the first `kept` of what it holds. */
function resize(body: Arriving, size: number, kept = 0): void {
  const { bytes } = body;
  body.bytes = size === 0 ? NO_BYTES : Buffer.allocUnsafe(size);
  bytes.copy(body.bytes, 0, 0, kept);
  bytesOfAll += size - bytes.length;
  for (const other of arriving) {
    if (bytesOfAll <= MAX_BYTES_OF_ALL) return;
    if (other !== body) other.cut();
  }
}
