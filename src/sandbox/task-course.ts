import type { TaskPlan } from './task-id.ts';

/** kie.ai docs: the values of `state` on the "Get Task Details" page; a failed task is `fail`, not `failed`. */
export type TaskState = 'waiting' | 'queuing' | 'generating' | 'success' | 'fail';

/** Where a task stands, and since when (Unix milliseconds). */
export interface TaskStage {
  readonly state: TaskState;
  readonly since: number;
}

/** The shares of a task's duration at which it is queued and at which its generation begins. */
const QUEUING_FROM = 0.1;
const GENERATING_FROM = 0.3;

/** kie.ai price list: "hailuo 02, image-to-video, Pro-6.0s-1080p" costs 57 credits per video. */
export const CREDITS_PER_VIDEO = 57;

/** What a task costs when it is over: failed ones are free (kie.ai docs: the failure callback's example). */
export function costOf(plan: TaskPlan): number {
  return plan.failCode === null ? CREDITS_PER_VIDEO : 0;
}

/** When the task reaches its end, in Unix milliseconds. */
export function endOf(plan: TaskPlan): number {
  return plan.createdAt + plan.durationMs;
}

/** Where the task stands at `now`: waiting, queuing, generating, then `success` or `fail` for ever. */
export function stageAt(plan: TaskPlan, now: number): TaskStage {
  const queuing = plan.createdAt + Math.round(plan.durationMs * QUEUING_FROM);
  const generating = plan.createdAt + Math.round(plan.durationMs * GENERATING_FROM);
  const end = endOf(plan);
  if (now >= end) return { state: plan.failCode === null ? 'success' : 'fail', since: end };
  if (now >= generating) return { state: 'generating', since: generating };
  if (now >= queuing) return { state: 'queuing', since: queuing };
  return { state: 'waiting', since: plan.createdAt };
}
