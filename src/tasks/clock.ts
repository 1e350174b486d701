/** Time as the task's life sees it: what time it is, and being called later. */
export interface Clock {
  /** ms since the epoch. */
  readonly now: () => number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void;
}

/** The machine's clock. Its timers keep the process alive: whoever sets one also cancels it when it stops. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    // Node fires timers beyond 2^31 ms at once.
    const timer = setTimeout(run, Math.min(ms, 0x7fffffff));
    return () => {
      clearTimeout(timer);
    };
  },
};
