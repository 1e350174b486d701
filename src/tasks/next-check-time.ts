import type { TaskRecord } from './task.ts';
import type { Timings } from './timings.ts';

/** How long until the provider is asked again, in ms: a third of the task's age, within bounds, ±20 %. */
export function checkInterval(record: Pick<TaskRecord, 'createdAt'>, now: number, timings: Timings): number {
  const third = (now - record.createdAt) / 3;
  const bounded = Math.min(Math.max(third, timings.checkIntervalMin), timings.checkIntervalMax);
  return Math.round(bounded * (0.8 + 0.4 * Math.random()));
}
