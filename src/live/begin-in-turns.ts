/** Begins something of an owner's when it is its turn; what it returns is handed on. */
export type InTurn = <T>(owner: string, begin: () => Promise<T>) => Promise<T>;

/** How long beginnings may hold up everything else, in ms. */
const SLICE_MS = 5;

/**
 * Operations of all sockets begin in slices, with everything else of the process in between: to read and check the text of
 * one takes about a millisecond, and thousands of messages may arrive at once. Owners take turns, one operation each.
 */
export function createBeginInTurns(now: () => number = () => performance.now()): InTurn {
  const line = new Map<string, (() => void)[]>();

  function takeTurns(): void {
    const deadline = now() + SLICE_MS;
    for (const [owner, waiting] of line) {
      // Whoever has more to begin comes again behind all others.
      line.delete(owner);
      waiting.shift()?.();
      if (waiting.length > 0) line.set(owner, waiting);
      if (now() >= deadline) break;
    }
    if (line.size > 0) setImmediate(takeTurns);
  }

  return (owner, begin) =>
    new Promise((resolve) => {
      if (line.size === 0) setImmediate(takeTurns);
      const waiting = line.get(owner) ?? [];
      line.set(owner, waiting);
      waiting.push(() => {
        resolve(begin());
      });
    });
}
