import type { TaskPorts } from './ports.ts';
import type { TaskRecord } from './task.ts';
import type { Timings } from './timings.ts';

/** The next steps of an unfinished task. */
export interface Schedule {
  /** Time of the next query, in ms since the epoch. */
  readonly nextCheckAt: number;
  /** Estimated duration of the generation in ms; null if unknown. */
  readonly duration: number | null;
}

/** Returns a function that schedules a record, for use inside a compare-and-set loop. */
export async function planner({
  clock,
  estimate,
  timings,
}: Pick<TaskPorts, 'clock' | 'estimate' | 'timings'>): Promise<(record: TaskRecord) => Schedule> {
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
