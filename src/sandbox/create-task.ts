import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseCreateRequest } from './create-request.ts';
import { parseDirectives } from './directives.ts';
import { type Envelope, refusal, success } from './envelope.ts';
import type { Ledger } from './ledger.ts';
import type { RateWindow } from './rate-window.ts';
import { encodeTaskId } from './task-id.ts';
import type { TaskRunner } from './task-runner.ts';

/** What createTask works with. */
export interface CreateTaskOptions {
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

  return async function createTask(
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Envelope | undefined> {
    if (!creates.admit()) {
      return refusal(
        429,
        `Rate limit exceeded: ${creates.limit} new tasks per 10 seconds. Nothing was created.`,
      );
    }
    const wanted = parseCreateRequest(request.body);
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
    reply.hijack();
    request.raw.socket.destroy();
    return undefined;
  };
}
