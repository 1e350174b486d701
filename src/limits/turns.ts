/** Begins a piece of an owner's work when it is the owner's turn, and returns what it returns. */
export type InTurn = <T>(owner: string, begin: () => Promise<T>) => Promise<T>;

/** How much work may begin in one turn of the event loop, in ms. */
const SLICE_MS = 5;
/** How much work an owner may begin before it is the next one's turn, in ms: many small pieces, or one that is larger. */
const TURN_MS = 1;
/**
 * How many turns of the event loop come between two slices. Each of them accepts one new connection, so that whoever opens
 * hundreds would hold up those of all others. https://github.com/libuv/libuv/blob/v1.46.0/src/unix/stream.c#L512
 */
const TURNS_BETWEEN = 8;

/**
 * Begins work at once while little has begun, and else in slices, with everything else of the process in between: operations
 * of all transports, and events of event streams. Owners take turns.
 *
 * What was begun counts until nothing is left of it but to wait. The slice is measured in work and not by the clock, so that
 * work that comes now and then never waits for a turn of the event loop.
 */
export function createBeginInTurns(now: () => number = () => performance.now()): InTurn {
  const line = new Map<string, (() => void)[]>();
  let leftMs = SLICE_MS;
  let begunAt = 0;
  /** How much work the first owner in line has begun in this turn of theirs. */
  let turnMs = 0;
  /** Until it is false again, new work has to wait. */
  let isTaking = false;

  function takeTurn(): void {
    begunAt = now();
    // The next tick comes after all microtasks, so that what the work goes on with counts as well.
    queueMicrotask(() => {
      process.nextTick(goOn);
    });
    const [[, waiting] = []] = line;
    waiting?.shift()?.();
  }

  function goOn(): void {
    const tookMs = now() - begunAt;
    leftMs -= tookMs;
    turnMs += tookMs;
    const [[owner = '', waiting = []] = []] = line;
    if (waiting.length === 0 || turnMs >= TURN_MS) {
      turnMs = 0;
      line.delete(owner);
      // Whoever has more to begin comes again behind all others.
      if (waiting.length > 0) line.set(owner, waiting);
    }
    if (leftMs <= 0) rest(TURNS_BETWEEN);
    else takeNext();
  }

  function rest(turns: number): void {
    if (turns > 0) {
      setImmediate(rest, turns - 1);
      return;
    }
    leftMs = SLICE_MS;
    takeNext();
  }

  function takeNext(): void {
    isTaking = line.size > 0;
    if (isTaking) takeTurn();
  }

  return (owner, begin) =>
    new Promise((resolve) => {
      const waiting = line.get(owner) ?? [];
      line.set(owner, waiting);
      waiting.push(() => {
        resolve(begin());
      });
      if (!isTaking) takeNext();
    });
}
