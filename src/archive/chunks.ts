import type { Readable } from 'node:stream';

/** More than the network brings while one chunk is written. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/**
 * The chunks of a body, read from now on. When the body fails, those that had arrived come first and its error afterwards: the
 * iterator of a stream would drop them, and a transfer that breaks often would never end.
 */
export function chunksOf(body: Readable): AsyncIterable<Buffer> {
  const queue: Buffer[] = [];
  let queuedBytes = 0;
  let isClosed = body.closed;
  let failure: Error | null = null;
  let wake = (): void => undefined;

  body.on('error', (error) => {
    failure = error;
  });
  body.on('close', () => {
    isClosed = true;
    wake();
  });
  body.on('data', (chunk: Buffer) => {
    queue.push(chunk);
    queuedBytes += chunk.length;
    if (queuedBytes >= MAX_QUEUED_BYTES) body.pause();
    wake();
  });

  async function* drain(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = queue.shift();
      if (chunk) {
        queuedBytes -= chunk.length;
        if (body.isPaused() && queuedBytes < MAX_QUEUED_BYTES) body.resume();
        yield chunk;
      } else if (isClosed) {
        if (body.readableEnded) return;
        throw failure ?? new Error('the body ends too early');
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  return { [Symbol.asyncIterator]: drain };
}
