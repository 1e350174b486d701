import { startLoop, type Loop } from './worker.ts';
import type { TaskPorts } from './ports.ts';
import { isClockProven } from './time-watch.ts';

/** Deletes hidden tasks whose process died, and old refusals, rate slots and uploads. */
export function startHousekeeping({ clock, log, store, timings }: TaskPorts): Loop {
  return startLoop({
    clock,
    retryMs: timings.submitLease,
    onError: (error) => {
      log.error({ err: error }, 'housekeeping failed; retrying later');
    },
    round: async () => {
      const now = clock.now();
      const orphans = await store.sweepOrphans(now);
      if (orphans > 0) log.info({ orphans }, 'deleted hidden tasks that were never sent');
      await store.sweep({
        refusedBefore: now - timings.refusalsKept,
        slotsBefore: now - timings.slotsKept,
        now,
      });
      return timings.submitLease;
    },
  });
}

/** Tasks per write: a batch blocks other writes for a few milliseconds. */
const BATCH = 500;

/**
 * Deletes tasks that ended more than `keptMs` ago, in batches, and logs their number at the end. It starts only after
 * `clockDoubt` of a steady clock: with a clock that is far ahead every task looks old.
 */
export function startRetention(ports: TaskPorts, keptMs: number): Loop {
  const { clock, log, store, timings } = ports;
  let deleted = 0;

  return startLoop({
    clock,
    retryMs: timings.retentionLook,
    onError: (error) => {
      log.error({ err: error }, 'deleting old tasks failed; retrying later');
    },
    round: async () => {
      // Read the time before the check, in case the clock is set in between.
      const now = clock.now();
      if (!isClockProven(ports)) return timings.retentionLook;
      const count = await store.sweepEnded({ endedBefore: now - keptMs, limit: BATCH });
      deleted += count;
      if (count === BATCH) return timings.retentionPause;
      if (deleted > 0) log.info({ tasks: deleted }, 'deleted tasks past their retention time');
      deleted = 0;
      return timings.retentionLook;
    },
  });
}
