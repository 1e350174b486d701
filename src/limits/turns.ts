/** Begins something of an owner's when it is its turn; what it returns is handed on. */
export type InTurn = <T>(owner: string, begin: () => Promise<T>) => Promise<T>;

/** How long beginnings may hold up everything else, in ms. */
const SLICE_MS = 5;

/**
 * Begins work in slices, with everything else of the process in between: operations of sockets, and events of event streams.
 * One of them takes up to a millisecond, and thousands may be due at once. Owners take turns, one piece of work each.
 */
export function createBeginInTurns(now: () => number = () => performance.now()): InTurn {
  const line = new Map<string, (() => void)[]>();
  let deadline = 0;
  let isTaking = false;

  function takeSlice(): void {
    deadline = now() + SLICE_MS;
    takeTurn();
  }

  function takeTurn(): void {
    for (const [owner, waiting] of line) {
      // Whoever has more to begin comes again behind all others.
      line.delete(owner);
      waiting.shift()?.();
      if (waiting.length > 0) line.set(owner, waiting);
      break;
    }
    // The next tick comes after all microtasks, so that what the work goes on with counts as well.
    queueMicrotask(() => {
      process.nextTick(goOn);
    });
  }

  function goOn(): void {
    if (line.size === 0) isTaking = false;
    else if (now() < deadline) takeTurn();
    else setImmediate(takeSlice);
  }

  return (owner, begin) =>
    new Promise((resolve) => {
      if (!isTaking) setImmediate(takeSlice);
      isTaking = true;
      const waiting = line.get(owner) ?? [];
      line.set(owner, waiting);
      waiting.push(() => {
        resolve(begin());
      });
    });
}
