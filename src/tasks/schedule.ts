import type { TaskPorts } from './ports.ts';
import type { TaskRecord } from './task.ts';
import type { Timings } from './timings.ts';

/** What is planned for a task that goes on. */
export interface Schedule {
  /** When the provider is asked about it, in ms since the epoch. */
  readonly nextCheckAt: number;
  /** How long a video takes at the provider, in ms; null when that is not known. */
  readonly duration: number | null;
}

/** Plans for whichever record is there in the end. */
export async function planner({
  clock,
  estimate,
  timings,
}: Pick<TaskPorts, 'clock' | 'estimate' | 'timings'>): Promise<(record: TaskRecord) => Schedule> {
  const now = clock.now();
  const duration = await estimate.median();
  return (record) => ({ nextCheckAt: nextCheckTime(record, now, timings), duration });
}

/** How many times of checks there are in the shortest interval. */
const STEPS = 5;

/**
 * When the provider is asked again, in ms since the epoch: after a third of the task's age, within bounds, ±20 %. Rounded to
 * a fifth of the shortest interval, so that tasks which are checked at the same time lie together in the store's index: it
 * is written at each change of a task, and page by page.
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
