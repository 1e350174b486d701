import { randomBytes } from 'node:crypto';
import type { CallbackManner } from './create-request.ts';

/** All that decides the course of a task. It travels in the task's id, so no restart can lose it. */
export interface TaskPlan {
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly durationMs: number;
  /** The task ends as `fail` with this code; null: it succeeds. */
  readonly failCode: number | null;
  readonly callback: CallbackManner;
}

const FORM = /^task_hailuo_(\d{13})[0-9a-f]{12}d(\d{1,8})(?:f(\d{3,4}))?(?:_(never|twice|unsigned))?$/;

/** A new, unguessable id that spells out the plan, in the shape of the documented `task_hailuo_…` ids. */
export function encodeTaskId({ createdAt, durationMs, failCode, callback }: TaskPlan): string {
  const nonce = randomBytes(6).toString('hex');
  const fail = failCode === null ? '' : `f${failCode}`;
  const manner = callback === 'once' ? '' : `_${callback}`;
  return `task_hailuo_${createdAt}${nonce}d${durationMs}${fail}${manner}`;
}

/** The plan that an id spells out, or null when it is no id of the sandbox. */
export function decodeTaskId(taskId: string): TaskPlan | null {
  const match = FORM.exec(taskId);
  if (match === null) return null;
  const [, createdAt, durationMs, failCode, callback] = match;
  return {
    createdAt: Number(createdAt),
    durationMs: Number(durationMs),
    failCode: failCode === undefined ? null : Number(failCode),
    callback: (callback as CallbackManner | undefined) ?? 'once',
  };
}

/** kie.ai docs: the values of `state` on the "Get Task Details" page; a failed task is `fail`, not `failed`. */
export type TaskState = 'waiting' | 'queuing' | 'generating' | 'success' | 'fail';

/** Where a task stands, and since when (Unix milliseconds). */
interface TaskStage {
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
