import { MODEL } from './create-request.ts';
import { type Envelope, meaningOf, success } from './envelope.ts';
import { costOf, endOf, stageAt, type TaskState } from './task-course.ts';
import type { TaskPlan } from './task-id.ts';

/**
 * A task as recordInfo and callbacks show it (kie.ai docs: "Get Task Details"; the callback's structure is
 * that of the query). Times are Unix milliseconds. `param` and `resultJson` are JSON in a string.
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

/** What a record is made of beside the time of the question. */
export interface RecordSource {
  readonly taskId: string;
  readonly plan: TaskPlan;
  /** The create request as JSON; '' when it is no longer remembered. */
  readonly param: string;
  /** The base address of result files, without a slash at the end. */
  readonly filesUrl: string;
}

function resultOf({ taskId, filesUrl }: RecordSource, state: TaskState): string | null {
  if (state === 'fail') return null;
  return state === 'success' ? JSON.stringify({ resultUrls: [`${filesUrl}/${taskId}.mp4`] }) : '';
}

/** The task as it stands at `now`. */
export function recordAt(source: RecordSource, now: number): TaskRecord {
  const { taskId, plan, param } = source;
  const { state, since } = stageAt(plan, now);
  const over = state === 'success' || state === 'fail';
  const failCode = state === 'fail' ? plan.failCode : null;
  return {
    taskId,
    model: MODEL,
    state,
    param,
    resultJson: resultOf(source, state),
    failCode: failCode === null ? null : String(failCode),
    failMsg: failCode === null ? null : meaningOf(failCode),
    costTime: over ? plan.durationMs : 0,
    createTime: plan.createdAt,
    updateTime: since,
    completeTime: over ? since : null,
    creditsConsumed: over ? costOf(plan) : null,
  };
}

/** The body of the callback that tells the end of a task (kie.ai docs: "Callback", both examples). */
export function completionOf(source: RecordSource): Envelope {
  const record = recordAt(source, endOf(source.plan));
  if (record.state === 'success') {
    return { ...success(record), msg: 'Playground task completed successfully.' };
  }
  return { code: 501, msg: 'Playground task failed.', data: record };
}
