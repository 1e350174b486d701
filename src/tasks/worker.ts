import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { startLoop } from './loop.ts';
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
