import { isPresumed, type TaskFailure } from './failure.ts';
import { isTerminal, rankOf, type Task, type UpdateSource } from './task.ts';

/** kie.ai promises a result for 24 hours at the least (its recordInfo page); other pages say 14 days. */
const VIDEO_LIFETIME_MS = 24 * 60 * 60 * 1000;

interface UpdateBase {
  /** The id under which the provider knows the task; null when only our clock speaks. */
  readonly providerTaskId: string | null;
  /** null when the provider did not say. */
  readonly creditsConsumed: number | null;
}

/** News about a task, from whichever road they came: the create answer, a callback, a query or our clock. */
export type TaskUpdate = UpdateBase &
  (
    | { readonly state: 'WAITING' | 'QUEUING' | 'GENERATING' }
    | { readonly state: 'SUCCESS'; readonly videoUrls: readonly string[] }
    | { readonly state: 'FAIL'; readonly failure: TaskFailure }
  );

/** The part of a task that an update decides on. */
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

/** When news came, in ms since the epoch, and from whom. */
export interface Origin {
  readonly at: number;
  readonly source: UpdateSource;
}

/**
 * The one rule book for what may happen to a task. Returns the task after the update, or null when the update
 * says nothing new: it is a duplicate, late, or about another task of the provider's.
 * A task only moves up; SUCCESS and FAIL absorb, except that a FAIL concluded from silence gives way to a true ending.
 * The times of a task never go back.
 */
export function applyUpdate<T extends Updatable>(task: T, update: TaskUpdate, heard: Origin): T | null {
  if (isAboutAnother(task, update) || !isNews(task, update)) return null;
  // News may wait for the store, and another process's clock may be ahead of ours.
  const now = Math.max(heard.at, task.updatedAt);
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
    timeline: [...task.timeline, { state: update.state, at: now, source: heard.source }],
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
  return presumed && isTrueEnding(update);
}

function isTrueEnding(update: TaskUpdate): boolean {
  return update.state === 'SUCCESS' || (update.state === 'FAIL' && !isPresumed(update.failure.code));
}

function toVideos(urls: readonly string[], now: number): Task['videos'] {
  return urls.map((url) => ({ url, expiresAt: now + VIDEO_LIFETIME_MS }));
}
