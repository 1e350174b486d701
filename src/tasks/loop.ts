import type { Clock } from './clock.ts';

/** Work that is done again and again until it is stopped. */
export interface Loop {
  /** Has the work done now, or once more right after the round that is running. */
  wake(): void;
  /** Starts no further round; fulfilled when the round that is running has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `round` at once, and then again after the time in ms that it returns, or earlier when woken. Rounds never
 * overlap. A round that rejects is reported and tried again after `retryMs`.
 */
export function startLoop(options: {
  readonly clock: Clock;
  readonly round: () => Promise<number>;
  readonly retryMs: number;
  readonly onError: (error: unknown) => void;
}): Loop {
  let stopped = false;
  let woken = false;
  let running: Promise<void> | null = null;
  let cancelTimer = (): void => undefined;

  async function runRound(): Promise<void> {
    woken = false;
    let pause = options.retryMs;
    try {
      pause = await options.round();
    } catch (error) {
      options.onError(error);
    }
    running = null;
    if (isStopped()) return;
    if (isWoken()) start();
    else cancelTimer = options.clock.after(Math.max(0, pause), start);
  }

  // Read through functions: the compiler would otherwise believe that no round can change them.
  const isStopped = (): boolean => stopped;
  const isWoken = (): boolean => woken;

  function start(): void {
    if (stopped || running) return;
    cancelTimer();
    running = runRound();
  }

  start();
  return {
    wake() {
      woken = true;
      start();
    },
    async stop() {
      stopped = true;
      cancelTimer();
      await running;
    },
  };
}
