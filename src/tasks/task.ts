import type { ModelInput } from '../models/define-model.ts';
import type { Video } from './video.ts';
import { isPresumed, type TaskFailure, type ProviderWords } from './failure.ts';

/** In order of progress; SUCCESS and FAIL are final. */
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

/** A task only moves to a state of higher rank. */
export function rankOf(state: TaskState): number {
  return RANK[state];
}

export function isTerminal(state: TaskState): boolean {
  return state === 'SUCCESS' || state === 'FAIL';
}

/** Whether the task cannot change any more. A presumed FAIL can: a real outcome replaces it. */
export function hasEnded({ failure, state }: Pick<Task, 'state' | 'failure'>): boolean {
  return isTerminal(state) && !(failure && isPresumed(failure.code));
}

/** The normalised input: URLs are trimmed, a blank endImageUrl is null, and the model's defaults are filled in. */
export interface TaskInput extends ModelInput {
  /** The provider's id of the model. */
  readonly model: string;
}

/** A task as its owner sees it. All times are ms since the epoch by our clock. */
export interface Task extends TaskInput {
  readonly id: string;
  readonly owner: string;
  readonly state: TaskState;
  readonly videos: readonly Video[];
  /** Set if and only if the state is FAIL. */
  readonly failure: TaskFailure | null;
  readonly providerTaskId: string | null;
  readonly creditsConsumed: number | null;
  /** Increases with every visible change of any task. */
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Set if and only if the state is final. */
  readonly completedAt: number | null;
  /** Expected completion while the provider works on it; null if unknown. */
  readonly expectedAt: number | null;
  /** Once the task has videos: time of the next attempt to copy them; null if there is nothing to copy. */
  readonly archiveAt: number | null;
  /** Its states, in order. No state repeats, so the list is short. */
  readonly timeline: readonly TimelineEntry[];
}

/** A task in the store: with the fields that its owner does not see. */
export interface TaskRecord extends Omit<Task, 'revision'> {
  /** null while the task is hidden. */
  readonly revision: number | null;
  /** `Provider.name` of the provider that makes the video. */
  readonly provider: string;
  readonly idempotencyKey: string | null;
  readonly inputHash: string;
  /** The process of the waiting mutation. Only this process may send a hidden task. */
  readonly submitLeaseBy: string | null;
  /** Until when a hidden task without a mark is kept for its mutation. */
  readonly submitLeaseUntil: number | null;
  /** Earliest time of the next create call. */
  readonly submitAt: number;
  /** Number of "not now" outcomes. */
  readonly notNowCount: number;
  readonly notNowSince: number | null;
  /** The mark: when the create call was sent. Committed before its first byte leaves. */
  readonly markedAt: number | null;
  /** Since when the outcome of the create call is recorded as unknown. */
  readonly unknownSince: number | null;
  /** The provider's refusal of a hidden task, kept for twins that wait for it. */
  readonly refusal: TaskFailure | null;
  /** The provider id of an unsigned callback. It counts once the provider confirms it. */
  readonly unverifiedProviderTaskId: string | null;
  /** The provider's last report that did not change the state. */
  readonly lastWords: ProviderWords | null;
  /** Time of the next check by the reconciler; null if there is nothing to check. */
  readonly nextCheckAt: number | null;
  /** Until when a process has claimed the check. Every write of the record ends the claim. */
  readonly checkLeaseUntil: number | null;
  /** Number of writes of this record, for compare and set. */
  readonly version: number;
}

export type VisibleRecord = TaskRecord & { readonly revision: number };

export function isVisible(record: TaskRecord): record is VisibleRecord {
  return record.revision !== null;
}

/** Where a change came from. GATEWAY: the gateway made it by itself. */
export type UpdateSource = 'GATEWAY' | 'CREATE_ANSWER' | 'CALLBACK' | 'QUERY';

export interface TimelineEntry {
  readonly state: TaskState;
  readonly at: number;
  readonly source: UpdateSource;
}

/** When the task left SUBMITTING, usually by acceptance; null before that. */
export function takenAt(timeline: readonly TimelineEntry[]): number | null {
  return timeline.find(({ state }) => state !== 'SUBMITTING')?.at ?? null;
}
