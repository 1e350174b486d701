import type { IncomingMessage } from 'node:http';

/** How much of a body over the limit is read and thrown away, so that its sender sees the answer and not a reset. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;

/** A body of at most `limit` bytes, or null when it is larger. Rejects when the sender goes away. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  // By events: an iterator over the stream takes several times as long for the usual body of one chunk.
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (): void => {
      request.off('data', take).off('end', finish).off('error', reject).off('close', abandon);
      resolve(length > limit ? null : Buffer.concat(chunks, length));
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk);
      else if (length > MAX_DISCARDED_BYTES) {
        request.pause();
        finish();
      }
    };
    const abandon = (): void => {
      reject(new Error('the sender of a body went away'));
    };
    request.on('data', take).once('end', finish).once('error', reject).once('close', abandon);
  });
}
