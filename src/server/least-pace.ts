/** So many bytes have to arrive in each window of time in which a body is waited for. */
export interface Pace {
  readonly bytes: number;
  readonly windowMs: number;
}

/** The sender of a body holds a place and does not make use of it. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError';
}

/** The chunks of a body; rejects with TooSlowError when they come more slowly than `pace`. */
export async function* atLeastPace(
  source: AsyncIterable<Buffer>,
  { bytes, windowMs }: Pace,
): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  let arrived = 0;
  let isWaiting = false;
  let begun = performance.now();
  let giveUp: (error: TooSlowError) => void = () => undefined;
  const timer = setInterval(() => {
    // A slow disk of ours is not the sender's fault, nor is a pause of this process: what came meanwhile is not read yet.
    const isWatched = performance.now() - begun < 2 * windowMs;
    begun = performance.now();
    if (isWatched && isWaiting && arrived < bytes)
      giveUp(new TooSlowError(`less than ${bytes} bytes in ${windowMs} ms`));
    arrived = 0;
  }, windowMs);
  try {
    for (;;) {
      isWaiting = true;
      // Not a race with a promise that lasts: that one would keep every chunk (https://github.com/nodejs/node/issues/17469).
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        giveUp = reject;
        chunks.next().then(resolve, reject);
      });
      isWaiting = false;
      if (next.done === true) return;
      arrived += next.value.length;
      yield next.value;
    }
  } finally {
    clearInterval(timer);
    // While its next chunk is waited for, it would not return before that.
    if (!isWaiting) await chunks.return?.();
  }
}
