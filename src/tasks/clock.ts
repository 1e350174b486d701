/** Time as the task's life sees it: what time it is, and being called later. */
export interface Clock {
  /** ms since the epoch. May go back, and may jump ahead: somebody sets it, or the machine was suspended. */
  readonly now: () => number;
  /** ms since an arbitrary moment; never goes back, never jumps because of a set clock. Left out: `now` is such a clock. */
  readonly elapsed?: () => number;
  /** The machine's own clock, for times that others have stamped; left out: `now`. */
  readonly machine?: () => number;
  /** For how long the clock was not set and this process did not sleep, in ms; left out: always. */
  readonly steadyFor?: () => number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void;
}

/** A timer that fires so much too late belongs to a process that was stopped, or very busy. */
const SLEPT_MS = 500;
/** How long such a process reads what arrived meanwhile before it believes that a time is over, and how often at most. */
const CATCH_UP_MS = 1000;
const MAX_CATCH_UPS = 3;
/** Node fires timers beyond 2^31 ms at once. */
const MAX_DELAY_MS = 0x7fffffff;

/**
 * Calls `run` once after `ms` milliseconds, unless the returned function is called before. A process that was stopped finds
 * its timers overdue and the answers that it waits for unread: what has arrived is always read before `run` is called.
 */
export function afterReading(ms: number, run: () => void): () => void {
  let timer: NodeJS.Timeout;
  let immediate: NodeJS.Immediate | undefined;
  let catchUps = 0;

  function wait(delay: number): void {
    const due = performance.now() + delay;
    timer = setTimeout(() => {
      const slept = performance.now() - due > SLEPT_MS;
      if (slept && (catchUps += 1) <= MAX_CATCH_UPS) wait(CATCH_UP_MS);
      // Node reads what has arrived between its timers and its immediates.
      else immediate = setImmediate(run);
    }, delay);
  }

  wait(Math.min(ms, MAX_DELAY_MS));
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

/** An abort signal for `afterReading`; `end` has to be called when nothing is waited for any more. */
export function timeoutSignal(ms: number, what: string): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const end = afterReading(ms, () => {
    controller.abort(new Error(`${what} within ${ms} ms`));
  });
  return { signal: controller.signal, end };
}

/** The machine's clock. Its timers keep the process alive: whoever sets one also cancels it when it stops. */
export const systemClock: Clock = {
  now: () => Date.now(),
  machine: () => Date.now(),
  elapsed: () => performance.now(),
  after: afterReading,
};
