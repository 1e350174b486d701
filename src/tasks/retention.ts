import { startLoop, type Loop } from './loop.ts';
import type { TaskPorts } from './ports.ts';

/** How many tasks are deleted in one write: some milliseconds, which others wait. */
const BATCH = 500;

/** Deletes tasks that ended more than `keptMs` ago, little by little, and says how many once none is left. */
export function startRetention({ clock, log, store, timings }: TaskPorts, keptMs: number): Loop {
  let deleted = 0;
  return startLoop({
    clock,
    retryMs: timings.retentionLook,
    onError: (error) => {
      log.error({ err: error }, 'old tasks could not be deleted; trying again later');
    },
    round: async () => {
      const count = await store.sweepEnded({ endedBefore: clock.now() - keptMs, limit: BATCH });
      deleted += count;
      if (count === BATCH) return timings.retentionPause;
      if (deleted > 0) log.info({ tasks: deleted }, 'deleted tasks that ended long ago');
      deleted = 0;
      return timings.retentionLook;
    },
  });
}
