import { randomBytes } from 'node:crypto';
import type { CallbackManner } from './directives.ts';

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
