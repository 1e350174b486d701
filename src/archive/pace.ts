import { setTimeout as delay } from 'node:timers/promises';

/** Lets a caller take so many bytes, when its turn comes. */
export type Pace = (bytes: number) => Promise<void>;

/** All callers together take no more than so many bytes per second. */
export function createPace(bytesPerSecond: number): Pace {
  let freeAt = 0;
  return async (bytes) => {
    const now = performance.now();
    freeAt = Math.max(freeAt, now) + (1000 * bytes) / bytesPerSecond;
    // Timers are no finer.
    if (freeAt - now >= 1) await delay(freeAt - now);
  };
}
