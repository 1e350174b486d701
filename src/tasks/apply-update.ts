import { isPresumed, type TaskFailure } from './failure.ts';
import { isTerminal, rankOf, type Task, type UpdateSource } from './task.ts';

/** kie.ai's recordInfo page guarantees 24 hours; other pages say 14 days. */
const VIDEO_LIFETIME_MS = 24 * 60 * 60 * 1000;

interface UpdateBase {
  /** The provider's id of the task; null if the update comes from the gateway itself. */
  readonly providerTaskId: string | null;
  /** null if the provider did not report it. */
  readonly creditsConsumed: number | null;
}

/** A reported state of a task: from the create call, a callback, a query or our clock. */
export type TaskUpdate = UpdateBase &
  (
    | { readonly state: 'WAITING' | 'QUEUING' | 'GENERATING' }
    | { readonly state: 'SUCCESS'; readonly videoUrls: readonly string[] }
    | { readonly state: 'FAIL'; readonly failure: TaskFailure }
  );

/** The fields that `applyUpdate` reads and writes. */
export type Updatable = Pick<
  Task,
  | 'state'
  | 'failure'
  | 'videos'
  | 'providerTaskId'
  | 'creditsConsumed'
  | 'updatedAt'
  | 'completedAt'
  | 'timeline'
>;

/** When an update arrived, in ms since the epoch, and where it came from. */
export interface Origin {
  readonly at: number;
  readonly source: UpdateSource;
}

/**
 * Applies an update to a task. Returns null if the update is a duplicate, late, or about another provider task.
 * States only move up in rank. SUCCESS and FAIL are final, but a real outcome replaces a presumed FAIL.
 */
export function applyUpdate<T extends Updatable>(task: T, update: TaskUpdate, origin: Origin): T | null {
  if (isAboutAnother(task, update) || !isNews(task, update)) return null;
  // The clock of another replica may be ahead, but the times of a task never decrease.
  const now = Math.max(origin.at, task.updatedAt);
  const ended = isTerminal(update.state);
  return {
    ...task,
    state: update.state,
    providerTaskId: task.providerTaskId ?? update.providerTaskId,
    creditsConsumed: update.creditsConsumed ?? task.creditsConsumed,
    videos: update.state === 'SUCCESS' ? toVideos(update.videoUrls, now) : [],
    failure: update.state === 'FAIL' ? update.failure : null,
    updatedAt: now,
    completedAt: ended ? now : null,
    timeline: [...task.timeline, { state: update.state, at: now, source: origin.source }],
  };
}

function isAboutAnother(task: Updatable, update: TaskUpdate): boolean {
  return (
    task.providerTaskId !== null &&
    update.providerTaskId !== null &&
    task.providerTaskId !== update.providerTaskId
  );
}

function isNews(task: Updatable, update: TaskUpdate): boolean {
  if (!isTerminal(task.state)) return rankOf(update.state) > rankOf(task.state);
  const presumed = task.failure !== null && isPresumed(task.failure.code);
  return presumed && isRealOutcome(update);
}

function isRealOutcome(update: TaskUpdate): boolean {
  return update.state === 'SUCCESS' || (update.state === 'FAIL' && !isPresumed(update.failure.code));
}

function toVideos(urls: readonly string[], now: number): Task['videos'] {
  return urls.map((url) => ({ url, expiresAt: now + VIDEO_LIFETIME_MS }));
}
