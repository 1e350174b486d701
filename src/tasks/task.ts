import { isPresumed, type TaskFailure, type ProviderWords } from './failure.ts';

/** The only model that this gateway submits to, in the provider's spelling. */
export const MODEL = 'hailuo/02-image-to-video-pro';

/** In the order in which a task moves through them; both SUCCESS and FAIL are terminal. */
export const TASK_STATES = ['SUBMITTING', 'WAITING', 'QUEUING', 'GENERATING', 'SUCCESS', 'FAIL'] as const;

export type TaskState = (typeof TASK_STATES)[number];

const RANK: Readonly<Record<TaskState, number>> = {
  SUBMITTING: 0,
  WAITING: 1,
  QUEUING: 2,
  GENERATING: 3,
  SUCCESS: 4,
  FAIL: 4,
};

/** How far a state is along the way; a task only ever moves to a higher rank. */
export function rankOf(state: TaskState): number {
  return RANK[state];
}

export function isTerminal(state: TaskState): boolean {
  return state === 'SUCCESS' || state === 'FAIL';
}

export interface Video {
  readonly url: string;
  /** When the provider may delete it, in ms since the epoch; null when that is not known. */
  readonly expiresAt: number | null;
}

/** Whether nothing can change it any more: a FAIL that was concluded from silence still gives way to a true ending. */
export function hasEnded({ failure, state }: Pick<Task, 'state' | 'failure'>): boolean {
  return isTerminal(state) && !(failure && isPresumed(failure.code));
}

/** What the caller asked for, normalised: no end picture is null, URLs carry no outer white space. */
export interface TaskInput {
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl: string | null;
  /** null when the caller did not say; then the provider is not told either. */
  readonly promptOptimizer: boolean | null;
}

/** A task as its owner sees it. All times are ms since the epoch by our own clock. */
export interface Task extends TaskInput {
  readonly id: string;
  readonly owner: string;
  readonly state: TaskState;
  readonly model: string;
  readonly videos: readonly Video[];
  /** Set exactly when state is FAIL. */
  readonly failure: TaskFailure | null;
  readonly providerTaskId: string | null;
  readonly creditsConsumed: number | null;
  /** Grows with every visible change of any task; larger is newer. */
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Set exactly when state is terminal. */
  readonly completedAt: number | null;
  /** When the video may be there, while the provider works on it; null when nobody can tell. */
  readonly expectedAt: number | null;
  /** The states that it came to, in order; a state that is left never comes back, so there are a dozen at most. */
  readonly timeline: readonly TimelineEntry[];
}

/** A task as the store keeps it: what its owner sees, and what is needed to bring it to its end. */
export interface TaskRecord extends Omit<Task, 'revision'> {
  /** null while the task is hidden: nobody was told of it yet, and no reader finds it. */
  readonly revision: number | null;
  readonly idempotencyKey: string | null;
  readonly inputHash: string;
  /** The process that a waiting mutation lives in; only that process may send a hidden task. */
  readonly submitLeaseBy: string | null;
  /** Until when a hidden task without a mark is believed to have a mutation waiting for it. */
  readonly submitLeaseUntil: number | null;
  /** When the task may be sent (again). */
  readonly submitAt: number;
  /** How often the provider has said "not now". */
  readonly notNowCount: number;
  readonly notNowSince: number | null;
  /** The mark: when the create call was begun. Durable before its first byte; guards money. */
  readonly markedAt: number | null;
  /** Since when it is certain that nobody knows whether the provider took the create call. */
  readonly unknownSince: number | null;
  /** The provider's "no" to a task that nobody was told of; kept for twins that wait for it. */
  readonly refusal: TaskFailure | null;
  /** A provider id that somebody named without proof; ours only when the provider confirms it. */
  readonly unverifiedProviderTaskId: string | null;
  /** What the provider last said without moving or ending the task; told when its time is over. */
  readonly lastWords: ProviderWords | null;
  /** When the reconciler must look at the task; null when there is nothing left to find out. */
  readonly nextCheckAt: number | null;
  /** Counts every write of this record, visible or not; the store compares it before it writes. */
  readonly version: number;
}

/** A record that somebody may see. */
export type VisibleRecord = TaskRecord & { readonly revision: number };

export function isVisible(record: TaskRecord): record is VisibleRecord {
  return record.revision !== null;
}

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
