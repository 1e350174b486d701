import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Claim } from './store.ts';
import type { TaskRecord } from './task.ts';

/** Claims tasks and works on each of them. `stop` resolves when all started work has ended. */
export function startWorker(options: {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Longest pause between two claims, in ms. */
  readonly idleMs: number;
  readonly claim: () => Promise<Claim>;
  readonly work: (record: TaskRecord) => Promise<void>;
}): Loop {
  const { clock, log, name } = options;
  const inWork = new Set<Promise<void>>();

  function begin(record: TaskRecord): void {
    const work = options
      .work(record)
      .catch((error: unknown) => {
        log.error({ err: error, task: record.id }, `${name}: work on a task failed; retrying later`);
      })
      .finally(() => inWork.delete(work));
    inWork.add(work);
  }

  const loop = startLoop({
    clock,
    retryMs: options.idleMs,
    onError: (error) => {
      log.error({ err: error }, `${name}: claiming tasks failed; retrying in ${options.idleMs} ms`);
    },
    round: async () => {
      const claim = await options.claim();
      claim.records.forEach(begin);
      return claim.nextAt === null ? options.idleMs : Math.min(options.idleMs, claim.nextAt - clock.now());
    },
  });

  return {
    wake: loop.wake,
    async stop() {
      await loop.stop();
      await Promise.all(inWork);
    },
  };
}

export interface Loop {
  /** Runs a round now, or another one right after the current one. */
  wake(): void;
  /** Starts no further round. Resolves when the current one has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `round` now, and again after the number of ms that it returns, or earlier when woken. Rounds never overlap. After a
 * rejected round it waits `retryMs`.
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

  // Functions, because TypeScript would narrow the variables across the await.
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
