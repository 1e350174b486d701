/** The time and timers of tasks. */
export interface Clock {
  /** ms since the epoch. May jump back or ahead when it is set or the machine was suspended. */
  readonly now: () => number;
  /** Monotonic time in ms. Omit it if `now` is monotonic. */
  readonly elapsed?: () => number;
  /** The machine's clock, to compare with foreign timestamps. Default: `now`. */
  readonly machine?: () => number;
  /** For how many ms the clock was not set and this process did not sleep. Default: always. */
  readonly steadyFor?: () => number;
  /** For how many ms this process has watched the clock. Default: always. */
  readonly watchedFor?: () => number;
  /** Calls `run` once after `ms`. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** A timer that fires this late shows that the process was stopped or busy. */
const SLEPT_MS = 500;
/** How long such a process then reads its sockets before a timeout counts, and how often at most. */
const CATCH_UP_MS = 1000;
const MAX_CATCH_UPS = 3;
/** Node.js fires longer timers at once. */
const MAX_DELAY_MS = 0x7fffffff;

/**
 * Calls `run` once after `ms`; returns a function that cancels it. After a stopped process resumes, its timers are overdue
 * and its sockets unread: everything that has arrived is read before `run` is called.
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
      // Node.js polls sockets between timers and immediates.
      else immediate = setImmediate(run);
    }, delay);
  }

  wait(Math.min(ms, MAX_DELAY_MS));
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}

export interface Timeout {
  /** Aborted when the time is over, and with the parent. */
  readonly signal: AbortSignal;
  /** Whether the time was over first. */
  readonly isOver: boolean;
  /** Begins the time again. */
  renew(): void;
  /** To be called in any case: cancels the timer and lets go of the parent. */
  end(): void;
}

/**
 * An abort signal by `afterReading`; `what` did not happen in time. Not `AbortSignal.any` for the parent: in Node.js 20 a parent
 * that lives on keeps what depends on it.
 */
export function timeoutSignal(ms: number, what: string, parent?: AbortSignal): Timeout {
  const controller = new AbortController();
  let isOver = false;
  const abort = (): void => {
    controller.abort(parent?.reason);
  };
  const start = (): (() => void) =>
    afterReading(ms, () => {
      isOver = !controller.signal.aborted;
      controller.abort(new Error(`${what} within ${ms} ms`));
    });
  if (parent?.aborted === true) abort();
  parent?.addEventListener('abort', abort);
  let cancel = start();
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    renew() {
      cancel();
      cancel = start();
    },
    end() {
      cancel();
      parent?.removeEventListener('abort', abort);
    },
  };
}

/** The machine's clock. Its timers keep the process alive until they are cancelled. */
export const systemClock: Clock = {
  now: () => Date.now(),
  machine: () => Date.now(),
  elapsed: () => performance.now(),
  after: afterReading,
};
