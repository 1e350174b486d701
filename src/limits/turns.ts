/** Begins one piece of an owner's work in the owner's turn, and returns its result. */
export type InTurn = <T>(owner: string, begin: () => Promise<T>) => Promise<T>;

/** How much work may begin in one turn of the event loop, in ms. */
const SLICE_MS = 5;
/** How much work an owner may begin before the next owner's turn, in ms: many small pieces, or one larger one. */
const TURN_MS = 1;
/**
 * Turns of the event loop between two slices. Each turn accepts one new connection, so with fewer turns a client that opens
 * hundreds would delay all others. https://github.com/libuv/libuv/blob/v1.46.0/src/unix/stream.c#L512
 */
const TURNS_BETWEEN = 8;

/**
 * Round-robin scheduler of owners. Begins work at once while little has begun, and otherwise in slices, between which everything
 * else in the process runs. A piece counts until it waits for something. A slice is an amount of work and not of time, so
 * occasional work never waits for a turn of the event loop.
 */
export function createBeginInTurns(now: () => number = () => performance.now()): InTurn {
  const line = new Map<string, (() => void)[]>();
  let leftMs = SLICE_MS;
  let begunAt = 0;
  /** How much work the first owner in line has begun in this turn. */
  let turnMs = 0;
  /** While true, new work has to wait. */
  let isTaking = false;

  function takeTurn(): void {
    begunAt = now();
    // The next tick comes after all microtasks, so the continuations of the work count as well.
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
      // An owner with more work goes to the end of the line.
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
