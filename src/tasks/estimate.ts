import type { Clock } from './clock.ts';
import type { TaskStore } from './store.ts';
import type { Timings } from './timings.ts';

/** How many of the newest videos are looked at, and how many there must be to say anything. */
const NEWEST = 100;
const ENOUGH = 5;

/** How long the provider takes for a video, of late. */
export interface DurationEstimate {
  /** The median of the newest 100, in ms; null when there are fewer than five, or they cannot be read. Never rejects. */
  median(): Promise<number | null>;
}

/** Reads them anew every `estimateEvery`. */
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
      // The clock may be set back.
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
