import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackSender } from './callbacks.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import type { TaskEntry } from './state-file.ts';
import { endOf } from './task-course.ts';
import { decodeTaskId, type TaskPlan } from './task-id.ts';
import { completionOf } from './task-record.ts';

/** What the runner works with. */
export interface RunnerOptions {
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
