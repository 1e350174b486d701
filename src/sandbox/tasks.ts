import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackSender } from './callbacks.ts';
import type { Ledger, TaskEntry } from './state.ts';
import { type Log, type Envelope, meaningOf, success, refusal, type RateWindow } from './envelope.ts';
import {
  endOf,
  decodeTaskId,
  type TaskPlan,
  costOf,
  stageAt,
  type TaskState,
  encodeTaskId,
} from './task-id.ts';
import { MODEL, parseCreateRequest, parseDirectives } from './create-request.ts';
import type { Call } from './http.ts';

/** What the runner works with. */
interface RunnerOptions {
  readonly ledger: Ledger;
  readonly callbacks: CallbackSender;
  readonly filesUrl: () => string;
  /** Ends every wait when aborted. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

/** Sees tasks through to their end. */
export interface TaskRunner {
  /** Waits for the task's end, tells it where it is to be told, and notes both. Returns at once, never throws. */
  follow(entry: TaskEntry): void;
  /** Resolves when no task is followed any more. */
  idle(): Promise<void>;
}

/** A runner that follows nothing yet. */
export function createTaskRunner({ ledger, callbacks, filesUrl, closing, log }: RunnerOptions): TaskRunner {
  const followed = new Set<Promise<void>>();

  async function untilEnd(plan: TaskPlan): Promise<void> {
    // In a loop, since a timer may fire a millisecond before the clock gets there.
    for (let left = endOf(plan) - Date.now(); left > 0; left = endOf(plan) - Date.now()) {
      await sleep(left, undefined, { signal: closing });
    }
    closing.throwIfAborted();
  }

  async function run({ taskId, param, callBackUrl }: TaskEntry): Promise<void> {
    const plan = decodeTaskId(taskId);
    if (plan === null) return;
    await untilEnd(plan);
    if (callBackUrl !== null) {
      const body = completionOf({ taskId, plan, param, filesUrl: filesUrl() });
      const callback = { taskId, url: callBackUrl, body, signed: plan.callback !== 'unsigned' };
      const delivered = await callbacks.send(callback);
      if (delivered && plan.callback === 'twice') await callbacks.send(callback);
    }
    await ledger.told(taskId);
  }

  return {
    follow(entry) {
      const running = run(entry)
        .catch((error: unknown) => {
          if (!closing.aborted) log('The sandbox lost sight of a task', { taskId: entry.taskId, error });
        })
        .finally(() => followed.delete(running));
      followed.add(running);
    },
    async idle() {
      await Promise.all(followed);
    },
  };
}

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
interface RecordSource {
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
function completionOf(source: RecordSource): Envelope {
  const record = recordAt(source, endOf(source.plan));
  if (record.state === 'success') {
    return { ...success(record), msg: 'Playground task completed successfully.' };
  }
  return { code: 501, msg: 'Playground task failed.', data: record };
}

/** What createTask works with. */
interface CreateTaskOptions {
  readonly creates: RateWindow;
  readonly ledger: Ledger;
  readonly runner: TaskRunner;
  /** How long a task takes unless its prompt says otherwise. */
  readonly durationMs: number;
  /** What to do about an account without credits, as a sentence. */
  readonly refillHint: string;
}

/**
 * `POST /api/v1/jobs/createTask`: each check an early answer, then a task. The answer is sent once the task
 * would survive a crash. Above the limit nothing is created and nothing queued (kie.ai docs: "Rate limits").
 */
export function createTaskHandler(options: CreateTaskOptions) {
  const { creates, ledger, runner } = options;

  return async function createTask({ body, request }: Call): Promise<Envelope | undefined> {
    if (!creates.admit()) {
      return refusal(
        429,
        `Rate limit exceeded: ${creates.limit} new tasks per 10 seconds. Nothing was created.`,
      );
    }
    const wanted = parseCreateRequest(body);
    if ('refused' in wanted) return wanted.refused;
    const directives = parseDirectives(wanted.prompt);
    if ('problem' in directives) return refusal(422, directives.problem);
    if (directives.rejectCode !== null) return refusal(directives.rejectCode);
    if (!ledger.canPay()) return refusal(402, `Credits insufficient. ${options.refillHint}`);

    const { failCode, callback, durationMs } = directives;
    const plan = { createdAt: Date.now(), durationMs: durationMs ?? options.durationMs, failCode, callback };
    const taskId = encodeTaskId(plan);
    const callBackUrl = callback === 'never' ? null : wanted.callBackUrl;
    await ledger.open(taskId, wanted.param, callBackUrl);
    runner.follow({ taskId, param: wanted.param, settled: false, callBackUrl });
    if (!directives.dropAnswer) return success({ taskId });
    request.socket.destroy();
    return undefined;
  };
}
