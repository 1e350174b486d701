import type { Clock } from './clock.ts';
import type { RecentTasks } from './recent-tasks.ts';
import type { TaskInput, TaskRecord } from './task.ts';
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
  readonly recent: RecentTasks;
  readonly timings: Timings;
}

/** Returns a function that schedules the record of a task, for use inside a compare-and-set loop. */
export async function planner(
  { clock, recent, timings }: Ports,
  task: TaskInput,
): Promise<(record: TaskRecord) => Schedule> {
  const now = clock.now();
  const duration = await recent.medianDuration(task);
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
