import { startLoop, type Loop } from './loop.ts';
import type { TaskPorts } from './ports.ts';

/** Deletes what nobody can ask for any more: tasks whose mutation died unanswered, old refusals, slots and uploads. */
export function startHousekeeping({ clock, log, store, timings }: TaskPorts): Loop {
  return startLoop({
    clock,
    retryMs: timings.submitLease,
    onError: (error) => {
      log.error({ err: error }, 'housekeeping failed; trying again later');
    },
    round: async () => {
      const now = clock.now();
      const orphans = await store.sweepOrphans(now);
      if (orphans > 0)
        log.info({ orphans }, 'deleted tasks that nobody was told of and that were never sent');
      await store.sweep({
        refusedBefore: now - timings.refusalsKept,
        slotsBefore: now - timings.slotsKept,
        now,
      });
      return timings.submitLease;
    },
  });
}
