import type { IncomingMessage } from 'node:http';

/** How much of a body over the limit is read and thrown away, so that its sender sees the answer and not a reset. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;

/** A body of at most `limit` bytes, or null when it is larger. Rejects when the sender goes away. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
    else if (length > MAX_DISCARDED_BYTES) break;
  }
  return length > limit ? null : Buffer.concat(chunks, length);
}
