/**
 * Counts events in windows of a second. Returns 0 while there were at most `limit` in the running one, and else how many
 * ms it still lasts. The clock must not be one that can be set: set back by an hour, the window would last that long.
 */
export function createRate(limit: number, now = (): number => performance.now()): () => number {
  let windowEnd = 0;
  let count = 0;
  return () => {
    const time = now();
    if (time >= windowEnd) {
      windowEnd = time + 1000;
      count = 0;
    }
    count += 1;
    return count > limit ? windowEnd - time : 0;
  };
}
