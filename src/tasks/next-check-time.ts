import type { TaskRecord } from './task.ts';
import type { Timings } from './timings.ts';

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
