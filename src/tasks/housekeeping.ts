import { startLoop, type Loop } from './worker.ts';
import type { TaskPorts } from './ports.ts';
import { isClockTrusted } from './time-watch.ts';

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

/** How many tasks are deleted in one write: some milliseconds, which others wait. */
const BATCH = 500;

/**
 * Deletes tasks that ended more than `keptMs` ago, little by little, and says how many once none is left. It begins when this
 * process has trusted the clock for a while: a clock that is far ahead makes every task old.
 */
export function startRetention(ports: TaskPorts, keptMs: number): Loop {
  const { clock, log, store, timings } = ports;
  const startedAt = clock.elapsed?.() ?? -Infinity;
  let deleted = 0;

  function isTrusted(): boolean {
    const watchedFor = (clock.elapsed?.() ?? Infinity) - startedAt;
    return watchedFor >= timings.clockDoubt && isClockTrusted(ports);
  }

  return startLoop({
    clock,
    retryMs: timings.retentionLook,
    onError: (error) => {
      log.error({ err: error }, 'old tasks could not be deleted; trying again later');
    },
    round: async () => {
      // Read before the clock is judged, not after.
      const now = clock.now();
      if (!isTrusted()) return timings.retentionLook;
      const count = await store.sweepEnded({ endedBefore: now - keptMs, limit: BATCH });
      deleted += count;
      if (count === BATCH) return timings.retentionPause;
      if (deleted > 0) log.info({ tasks: deleted }, 'deleted tasks that ended long ago');
      deleted = 0;
      return timings.retentionLook;
    },
  });
}
