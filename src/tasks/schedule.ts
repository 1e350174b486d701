import type { Clock } from './clock.ts';
import type { TaskStore } from './store.ts';
import type { TaskRecord } from './task.ts';
import type { Timings } from './timings.ts';

/** The next steps of an unfinished task. */
export interface Schedule {
  /** Time of the next query, in ms since the epoch. */
  readonly nextCheckAt: number;
  /** Estimated duration of the generation in ms; null if unknown. */
  readonly duration: number | null;
}

interface Ports {
  readonly clock: Clock;
  readonly estimate: DurationEstimate;
  readonly timings: Timings;
}

/** Returns a function that schedules a record, for use inside a compare-and-set loop. */
export async function planner({
  clock,
  estimate,
  timings,
}: Ports): Promise<(record: TaskRecord) => Schedule> {
  const now = clock.now();
  const duration = await estimate.median();
  return (record) => ({ nextCheckAt: nextCheckTime(record, now, timings), duration });
}

/** Query times are rounded to this fraction of the shortest interval. */
const STEPS = 5;

/**
 * Time of the next query: after a third of the task's age, within bounds, ±20 %. Rounded times put many tasks on the same
 * page of the store's index, which makes writes cheaper.
 */
export function nextCheckTime(
  record: Pick<TaskRecord, 'createdAt'>,
  now: number,
  timings: Pick<Timings, 'checkIntervalMin' | 'checkIntervalMax'>,
): number {
  const third = (now - record.createdAt) / 3;
  const bounded = Math.min(Math.max(third, timings.checkIntervalMin), timings.checkIntervalMax);
  const step = Math.max(1, Math.round(timings.checkIntervalMin / STEPS));
  return Math.round((now + bounded * (0.8 + 0.4 * Math.random())) / step) * step;
}

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
