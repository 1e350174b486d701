import { randomBytes } from 'node:crypto';
import type { CallbackManner } from './create-request.ts';
import { type Envelope, meaningOf, success } from './envelope.ts';
import type { SandboxModel } from './model.ts';
import { MODELS } from './models.ts';

/** Everything that decides the course of a task. The task's id contains it, so it survives a restart. */
export interface TaskPlan {
  readonly model: SandboxModel;
  /** The charge if it succeeds, in whole thousandths. */
  readonly credits: number;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly durationMs: number;
  /** The task ends as `fail` with this code; null: it succeeds. */
  readonly failCode: number | null;
  readonly callback: CallbackManner;
}

const ID =
  /^task_([a-z\d.-]+)_(\d{13})[\da-f]{12}d(\d{1,8})(?:c(\d{1,9}))?(?:f(\d{3,4}))?(?:_(never|twice|unsigned))?$/;

/** In thousandths, for ids without a charge: those of the previous version, which had one model. */
const FORMER_CREDITS = '57000';

/** A new, unguessable id that contains the plan, in the shape of the documented `task_hailuo_…` ids. */
export function encodeTaskId(plan: TaskPlan): string {
  const { model, credits, createdAt, durationMs, failCode, callback } = plan;
  const nonce = randomBytes(6).toString('hex');
  const fail = failCode === null ? '' : `f${failCode}`;
  const manner = callback === 'once' ? '' : `_${callback}`;
  const charge = `c${Math.round(credits * 1000)}`;
  return `task_${model.idPart}_${createdAt}${nonce}d${durationMs}${charge}${fail}${manner}`;
}

/** The plan in an id; null when the sandbox did not make the id. */
export function decodeTaskId(taskId: string): TaskPlan | null {
  const [, idPart, createdAt, durationMs, credits = FORMER_CREDITS, failCode, callback = 'once'] =
    ID.exec(taskId) ?? [];
  const model = MODELS.find((known) => known.idPart === idPart);
  if (!model) return null;
  return {
    model,
    credits: Number(credits) / 1000,
    createdAt: Number(createdAt),
    durationMs: Number(durationMs),
    failCode: failCode === undefined ? null : Number(failCode),
    callback: callback as CallbackManner,
  };
}

/** What a finished task costs; a failed one is free (kie.ai docs: the failure callback's example). */
export function costOf({ credits, failCode }: TaskPlan): number {
  return failCode === null ? credits : 0;
}

/** When the task ends, in Unix milliseconds. */
export function endOf(plan: TaskPlan): number {
  return plan.createdAt + plan.durationMs;
}

/** kie.ai docs: the values of `state` on the "Get Task Details" page; a failed task is `fail`, not `failed`. */
export type TaskState = 'waiting' | 'queuing' | 'generating' | 'success' | 'fail';

/** The shares of the duration at which a task enters each state. */
const COURSE: readonly (readonly [state: TaskState, share: number])[] = [
  ['generating', 0.3],
  ['queuing', 0.1],
  ['waiting', 0],
];

/** The state at `now`, and since when (Unix milliseconds). */
export function stageAt(plan: TaskPlan, now: number): { readonly state: TaskState; readonly since: number } {
  const end = endOf(plan);
  if (now >= end) return { state: plan.failCode === null ? 'success' : 'fail', since: end };
  for (const [state, share] of COURSE) {
    const since = plan.createdAt + Math.round(plan.durationMs * share);
    if (now >= since) return { state, since };
  }
  return { state: 'waiting', since: plan.createdAt };
}

/**
 * A task as recordInfo and callbacks show it (kie.ai docs: "Get Task Details"; callbacks have the same structure).
 * Times are Unix milliseconds. `param` and `resultJson` are JSON in a string.
 */
export interface TaskRecord {
  readonly taskId: string;
  readonly model: string;
  readonly state: TaskState;
  readonly param: string;
  readonly resultJson: string | null;
  readonly failCode: string | null;
  readonly failMsg: string | null;
  readonly costTime: number;
  readonly createTime: number;
  readonly updateTime: number;
  readonly completeTime: number | null;
  readonly creditsConsumed: number | null;
}

interface RecordSource {
  readonly taskId: string;
  readonly plan: TaskPlan;
  /** The create request as JSON; '' when the sandbox has forgotten it. */
  readonly param: string;
  /** The base URL of result files, without a slash at the end. */
  readonly filesUrl: string;
}

export function recordAt({ taskId, plan, param, filesUrl }: RecordSource, now: number): TaskRecord {
  const { state, since } = stageAt(plan, now);
  const isOver = state === 'success' || state === 'fail';
  const failCode = state === 'fail' ? plan.failCode : null;
  const result = state === 'success' ? JSON.stringify({ resultUrls: [`${filesUrl}/${taskId}.mp4`] }) : '';
  return {
    taskId,
    model: plan.model.name,
    state,
    param,
    resultJson: state === 'fail' ? null : result,
    failCode: failCode === null ? null : String(failCode),
    failMsg: failCode === null ? null : meaningOf(failCode),
    costTime: isOver ? plan.durationMs : 0,
    createTime: plan.createdAt,
    updateTime: since,
    completeTime: isOver ? since : null,
    creditsConsumed: isOver ? costOf(plan) : null,
  };
}

/** The body of the callback at the end of a task (kie.ai docs: "Callback", both examples). */
export function callbackBody(source: RecordSource): Envelope {
  const record = recordAt(source, endOf(source.plan));
  return record.state === 'success'
    ? { ...success(record), msg: 'Playground task completed successfully.' }
    : { code: 501, msg: 'Playground task failed.', data: record };
}
