import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Claim } from './store.ts';
import type { TaskRecord } from './task.ts';

/** Claims tasks and works on each, as long as the process runs. */
export interface Worker {
  /** Looks for work now: somebody knows that there is some. */
  wake(): void;
  /** Claims nothing more; fulfilled when all work that was begun has ended. */
  stop(): Promise<void>;
  /** How many tasks are being worked on. */
  busy(): number;
}

export function startWorker(options: {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The longest pause between two looks for work, in ms. */
  readonly idleMs: number;
  readonly claim: () => Promise<Claim>;
  readonly work: (record: TaskRecord) => Promise<void>;
}): Worker {
  const { clock, log, name } = options;
  const underWay = new Set<Promise<void>>();

  function begin(record: TaskRecord): void {
    const work = options
      .work(record)
      .catch((error: unknown) => {
        log.error(
          { err: error, task: record.id },
          `${name}: work on a task failed; it is taken up again later`,
        );
      })
      .finally(() => underWay.delete(work));
    underWay.add(work);
  }

  const loop = startLoop({
    clock,
    retryMs: options.idleMs,
    onError: (error) => {
      log.error({ err: error }, `${name}: looking for work failed; trying again in ${options.idleMs} ms`);
    },
    round: async () => {
      const claim = await options.claim();
      claim.records.forEach(begin);
      return claim.nextAt === null ? options.idleMs : Math.min(options.idleMs, claim.nextAt - clock.now());
    },
  });

  return {
    wake: loop.wake,
    busy: () => underWay.size,
    async stop() {
      await loop.stop();
      await Promise.all(underWay);
    },
  };
}

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

/** How many keys are remembered at least before those whose time is over are forgotten. */
const MANY = 1000;

/** Has something happen at most once per key in a while; what comes too early is put off, not dropped. */
interface Throttle {
  /** How long to wait, in ms, until it may happen for this key. Calls until then share that one time. */
  reserve(key: string): number;
  /** Takes the last reservation back: what it was for did not come about. */
  giveBack(key: string): void;
}

export function createThrottle(clock: Clock, everyMs: number): Throttle {
  /** When it happened last, or will happen. */
  const last = new Map<string, number>();
  const now = clock.elapsed ?? clock.now;
  let forgetAt = MANY;

  function forgetOld(): void {
    for (const [key, at] of last) if (now() - at >= everyMs) last.delete(key);
    // Twice as many as are in use: so the search costs little per key, however many there are.
    forgetAt = Math.max(MANY, 2 * last.size);
  }

  return {
    reserve(key) {
      const before = last.get(key) ?? -Infinity;
      const at = before > now() ? before : Math.max(now(), before + everyMs);
      if (last.size >= forgetAt) forgetOld();
      last.set(key, at);
      return at - now();
    },
    giveBack: (key) => {
      last.delete(key);
    },
  };
}
