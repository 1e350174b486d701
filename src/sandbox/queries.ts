import { type Envelope, refusal, success, type RateWindow } from './envelope.ts';
import type { Call } from './http.ts';
import type { Ledger } from './state.ts';
import { decodeTaskId } from './task-id.ts';
import { recordAt } from './tasks.ts';

/** What recordInfo works with. */
interface RecordInfoOptions {
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
  return function recordInfo({ query }: Call): Envelope {
    if (!queries.admit()) return refusal(429, `Rate limit exceeded: ${queries.limit} queries per second.`);
    const [taskId = '', ...others] = query.getAll('taskId');
    if (taskId === '' || others.length > 0) return refusal(400, 'taskId parameter is required');
    const plan = decodeTaskId(taskId);
    const now = Date.now();
    if (plan === null || now < plan.createdAt + invisibleMs) return refusal(422, 'recordInfo is null');
    const param = ledger.find(taskId)?.param ?? '';
    return success(recordAt({ taskId, plan, param, filesUrl: filesUrl() }, now));
  };
}

/**
 * `POST /api/v1/common/download-url`: a link to a result file for 20 minutes (kie.ai docs: "Get Download URL"). Files of the
 * sandbox are public anyway, so it is the same address; any other one is 422, as there.
 */
export function downloadUrlHandler(filesUrl: () => string) {
  return function downloadUrl({ body }: Call): Envelope {
    const url = (body as { readonly url?: unknown } | null)?.url;
    const isOurs = typeof url === 'string' && url.startsWith(`${filesUrl()}/`);
    return isOurs ? success(url) : refusal(422, 'The url must be one that this service has made');
  };
}
