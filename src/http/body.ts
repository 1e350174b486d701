import type { IncomingMessage } from 'node:http';

/** Memory of all arriving bodies together. A body usually arrives within milliseconds. */
const MAX_BYTES_OF_ALL = 64 * 1024 * 1024;
/** Fits into the buffer pool of Node.js: another buffer takes as long as parsing the usual body. */
const FIRST_BYTES = 1024;

const NO_BYTES = Buffer.alloc(0);

interface Arriving {
  bytes: Buffer;
  /** Rejects the body and closes its connection. */
  readonly cut: () => void;
}

/** Oldest first. */
const arriving = new Set<Arriving>();
let bytesOfAll = 0;

/**
 * Reads a body; null as soon as it is larger than `limit` bytes. Rejects if the client leaves. Copies all chunks into one growing
 * buffer, because each chunk costs some hundred bytes, and cuts the oldest body if all bodies take too much memory.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  if (Number(request.headers['content-length']) > limit) return Promise.resolve(null);
  // An iterator takes several times as long as events for the usual body of one chunk.
  return new Promise((resolve, reject) => {
    let length = 0;
    const cut = (): void => {
      fail(new Error('the body was cut because all bodies took too much memory'));
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
      fail(new Error('the client left'));
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

/** Powers of two keep all copying in proportion to the body. */
function roomFor(length: number, limit: number): number {
  return Math.min(limit, Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(length))));
}

/** Changes the memory of a body, and keeps its first `kept` bytes. */
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
