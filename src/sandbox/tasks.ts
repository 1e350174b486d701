import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackSender } from './callbacks.ts';
import { parseCreateRequest } from './create-request.ts';
import { type Envelope, type Log, type RateWindow, refusal, success } from './envelope.ts';
import type { Call } from './http.ts';
import { inThousandths } from './model.ts';
import {
  callbackBody,
  costOf,
  decodeTaskId,
  encodeTaskId,
  endOf,
  recordAt,
  type TaskPlan,
  type TaskRecord,
} from './task.ts';

/** The account and its tasks, in memory. */
export interface Tasks {
  /** The balance after every task that has ended by now. */
  credits(): number;
  /** Whether the balance covers one more charge if every running task succeeds. */
  canPay(credits: number): boolean;
  /** Starts a task and returns its id. At its end the callback is sent. */
  start(plan: TaskPlan, param: string, callBackUrl: string | null): string;
  /** The task as it stands now; null for an id that the sandbox did not make. */
  find(taskId: string): TaskRecord | null;
  /** Resolves when no task waits for its end or its callback any more. */
  idle(): Promise<void>;
}

/** As many create requests are kept for `param`, which the task's id does not contain. */
const REMEMBERED_REQUESTS = 500;

export function createTasks(options: {
  readonly credits: number;
  readonly callbacks: CallbackSender;
  readonly filesUrl: () => string;
  /** Ends every wait when aborted. */
  readonly closing: AbortSignal;
  readonly log: Log;
}): Tasks {
  const { callbacks, closing, filesUrl, log } = options;
  let balance = options.credits;
  const unpaid = new Set<TaskPlan>();
  const params = new Map<string, string>();
  const followed = new Set<Promise<void>>();

  /** By the clock, as recordInfo, so that the balance agrees with it. */
  function settle(): void {
    const now = Date.now();
    for (const plan of unpaid) {
      if (endOf(plan) > now) continue;
      unpaid.delete(plan);
      balance = inThousandths(balance - costOf(plan));
    }
  }

  function remember(taskId: string, param: string): void {
    params.set(taskId, param);
    const [oldest] = params.keys();
    if (params.size > REMEMBERED_REQUESTS && oldest !== undefined) params.delete(oldest);
  }

  async function follow(taskId: string, plan: TaskPlan, param: string, url: string): Promise<void> {
    // In a loop, since a timer may fire a millisecond before the clock gets there.
    for (let left = endOf(plan) - Date.now(); left > 0; left = endOf(plan) - Date.now())
      await sleep(left, undefined, { signal: closing });
    const body = callbackBody({ taskId, plan, param, filesUrl: filesUrl() });
    const callback = { taskId, url, body, signed: plan.callback !== 'unsigned' };
    const isDelivered = await callbacks.send(callback);
    if (isDelivered && plan.callback === 'twice') await callbacks.send(callback);
  }

  return {
    credits() {
      settle();
      return balance;
    },
    canPay(credits) {
      settle();
      const owed = [...unpaid].reduce((sum, plan) => sum + plan.credits, credits);
      return balance >= inThousandths(owed);
    },
    start(plan, param, callBackUrl) {
      const taskId = encodeTaskId(plan);
      unpaid.add(plan);
      remember(taskId, param);
      if (callBackUrl === null || plan.callback === 'never') return taskId;
      const following = follow(taskId, plan, param, callBackUrl)
        .catch((error: unknown) => {
          if (!closing.aborted) log('The sandbox could not finish a task', { taskId, error });
        })
        .finally(() => followed.delete(following));
      followed.add(following);
      return taskId;
    },
    find(taskId) {
      const plan = decodeTaskId(taskId);
      const param = params.get(taskId) ?? '';
      return plan && recordAt({ taskId, plan, param, filesUrl: filesUrl() }, Date.now());
    },
    async idle() {
      await Promise.all(followed);
    },
  };
}

/**
 * `POST /api/v1/jobs/createTask`. Checks run in order; the first that fails answers. Above the rate limit nothing is created
 * or queued (kie.ai docs: "Rate limits").
 */
export function createTaskHandler(options: {
  readonly creates: RateWindow;
  readonly tasks: Tasks;
  /** How long a task takes unless its prompt says otherwise. */
  readonly durationMs: number;
  /** The balance of a new sandbox. */
  readonly credits: number;
}) {
  const { creates, tasks } = options;

  return function createTask({ body, request }: Call): Envelope | undefined {
    if (!creates.admit()) {
      const what = `${creates.limit} new tasks per 10 seconds`;
      return refusal(429, `Rate limit exceeded: ${what}. Nothing was created.`);
    }
    const wanted = parseCreateRequest(body);
    if ('refused' in wanted) return wanted.refused;
    const { callback, dropAnswer, durationMs, failCode, rejectCode } = wanted.directives;
    if (rejectCode !== null) return refusal(rejectCode);
    const { callBackUrl, credits, model, param } = wanted;
    if (!tasks.canPay(credits))
      return refusal(
        402,
        `Credits insufficient. Restart the sandbox to begin with ${options.credits} again.`,
      );
    const course = { durationMs: durationMs ?? options.durationMs, failCode, callback };
    const plan = { model, credits, createdAt: Date.now(), ...course };
    const taskId = tasks.start(plan, param, callBackUrl);
    if (!dropAnswer) return success({ taskId });
    request.socket.destroy();
    return undefined;
  };
}

/**
 * `GET /api/v1/jobs/recordInfo?taskId=`. A task that is unknown, or too new to be visible, is "recordInfo is null" (kie.ai
 * docs: "Get Task Details"; clients observed the delay).
 */
export function recordInfoHandler(options: {
  readonly queries: RateWindow;
  readonly tasks: Tasks;
  /** How long a new task is not visible. */
  readonly invisibleMs: number;
}) {
  const { invisibleMs, queries, tasks } = options;

  return function recordInfo({ query }: Call): Envelope {
    if (!queries.admit()) return refusal(429, `Rate limit exceeded: ${queries.limit} queries per second.`);
    const [taskId = '', ...others] = query.getAll('taskId');
    if (taskId === '' || others.length > 0) return refusal(400, 'taskId parameter is required');
    const record = tasks.find(taskId);
    if (!record || Date.now() < record.createTime + invisibleMs) return refusal(422, 'recordInfo is null');
    return success(record);
  };
}
