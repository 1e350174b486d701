import { nextCheckTime } from './next-check-time.ts';
import type { TaskPorts } from './ports.ts';
import type { TaskRecord } from './task.ts';

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
  pace,
  timings,
}: Pick<TaskPorts, 'clock' | 'pace' | 'timings'>): Promise<(record: TaskRecord) => Schedule> {
  const now = clock.now();
  const duration = await pace.median();
  return (record) => ({ nextCheckAt: nextCheckTime(record, now, timings), duration });
}
