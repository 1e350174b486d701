import type { Clock } from './clock.ts';
import type { TaskStore } from './store.ts';
import type { Timings } from './timings.ts';

/** How many recent videos the estimate uses, and how many it needs at least. */
const NEWEST = 100;
const ENOUGH = 5;

/** How long the provider currently takes for a video. */
export interface DurationEstimate {
  /** Median of the newest 100 in ms; null with fewer than five, or if the store is unavailable. Never rejects. */
  median(): Promise<number | null>;
}

/** Reads the store once per `estimateEvery`. */
export function createDurationEstimate(options: {
  readonly clock: Clock;
  readonly store: Pick<TaskStore, 'newestDurations'>;
  readonly timings: Pick<Timings, 'estimateEvery'>;
}): DurationEstimate {
  const { clock, store, timings } = options;
  let known: Promise<number | null> = Promise.resolve(null);
  let readAt = -Infinity;

  return {
    median() {
      const now = clock.now();
      // abs: the clock may be set back.
      if (Math.abs(now - readAt) < timings.estimateEvery) return known;
      readAt = now;
      const before = known;
      known = store.newestDurations(NEWEST).then(medianOf, () => before);
      return known;
    },
  };
}

function medianOf(durations: readonly number[]): number | null {
  if (durations.length < ENOUGH) return null;
  const sorted = [...durations].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
