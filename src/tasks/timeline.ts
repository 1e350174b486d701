import type { TaskState } from './task.ts';

/**
 * Who told of a change: the answer to the create call, a callback, or a query of ours; or nobody did, and the gateway itself
 * made it.
 */
export type UpdateSource = 'GATEWAY' | 'CREATE_ANSWER' | 'CALLBACK' | 'QUERY';

/** A state that a task came to. */
export interface TimelineEntry {
  readonly state: TaskState;
  /** ms since the epoch, by our own clock. */
  readonly at: number;
  readonly source: UpdateSource;
}

/** When the task left SUBMITTING, as a rule because the provider took it; null before, and where nobody wrote it down. */
export function takenAt(timeline: readonly TimelineEntry[]): number | null {
  return timeline.find(({ state }) => state !== 'SUBMITTING')?.at ?? null;
}
