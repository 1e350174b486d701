import type { FastifyRequest } from 'fastify';
import { type Envelope, refusal, success } from './envelope.ts';
import type { Ledger } from './ledger.ts';
import type { RateWindow } from './rate-window.ts';
import { decodeTaskId } from './task-id.ts';
import { recordAt } from './task-record.ts';

/** What recordInfo works with. */
export interface RecordInfoOptions {
  readonly queries: RateWindow;
  readonly ledger: Ledger;
  readonly filesUrl: () => string;
  /** How long a new task cannot be seen yet. */
  readonly invisibleMs: number;
}

/**
 * `GET /api/v1/jobs/recordInfo?taskId=`: the task as it stands. A task that is unknown, or too fresh to be
 * seen, is "recordInfo is null" (kie.ai docs: "Get Task Details"; the freshness was observed by clients).
 */
export function recordInfoHandler({ queries, ledger, filesUrl, invisibleMs }: RecordInfoOptions) {
  return function recordInfo(request: FastifyRequest): Envelope {
    if (!queries.admit()) return refusal(429, `Rate limit exceeded: ${queries.limit} queries per second.`);
    const { taskId } = request.query as { taskId?: unknown };
    if (typeof taskId !== 'string' || taskId === '') return refusal(400, 'taskId parameter is required');
    const plan = decodeTaskId(taskId);
    const now = Date.now();
    if (plan === null || now < plan.createdAt + invisibleMs) return refusal(422, 'recordInfo is null');
    const param = ledger.find(taskId)?.param ?? '';
    return success(recordAt({ taskId, plan, param, filesUrl: filesUrl() }, now));
  };
}
