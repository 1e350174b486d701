import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem, sendProblem } from '../problem.ts';
import { parseCallback } from '../provider/callback.ts';
import { parseJson } from '../provider/envelope.ts';
import { readBody } from '../read-body.ts';
import type { Log } from '../tasks/log.ts';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { TaskCallbacks } from '../tasks/tasks.ts';
import { REFUSALS, UNEXPECTED, type CallbackResult, type Refusal } from './refusals.ts';
import { verifySignature } from './verify-signature.ts';

export interface KieWebhookOptions {
  readonly tasks: TaskCallbacks;
  /** Any of them may have signed a callback; without keys a callback is only a hint. Asked for at each callback. */
  readonly hmacKeys: () => readonly string[];
  readonly now: () => number;
  readonly log: Log;
  /** Told what became of each. */
  readonly onResult?: (result: CallbackResult) => void;
}

const MAX_BODY_BYTES = 256 * 1024;
const PATH = /^\/webhooks\/kie\/([^/?]{1,100})\/([^/?]{1,200})(?:\?|$)/;

/** Under which all of them come. */
export const WEBHOOKS_PATH = '/webhooks/';

/** Answers a call; `reqId` names it in the log. Rejects when its sender goes away, and for what is unexpected. */
export type KieWebhook = (request: IncomingMessage, response: ServerResponse, reqId: string) => Promise<void>;

/**
 * `POST /webhooks/kie/{taskId}/{token}`: what kie.ai calls when a task has ended. Each rung of the ladder answers early;
 * 200 is said only when the callback is durable, and 503 asks for the callback to be repeated.
 */
export function createKieWebhook(options: KieWebhookOptions): KieWebhook {
  return async (request, response, reqId) => {
    const start = performance.now();
    const body = await readBody(request, MAX_BODY_BYTES);
    const seen: Seen = {};
    const outcome = await climb(options, request, body, seen).catch((error: unknown) => {
      if (error instanceof StoreUnavailableError) return REFUSALS.store;
      options.onResult?.(UNEXPECTED);
      throw error;
    });
    const refusal = typeof outcome === 'string' ? null : outcome;
    report(options, { reqId, ...seen, ms: Math.round(performance.now() - start) }, outcome);
    if (!refusal) {
      response.writeHead(200, TAKEN_HEADERS).end(TAKEN);
      return;
    }
    refuse(response, refusal);
  };
}

/** What kie.ai's pages show as the answer to a callback. */
const TAKEN = JSON.stringify({ code: 200, msg: 'success' });
const TAKEN_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': Buffer.byteLength(TAKEN),
};

/** What is known of a callback by the time that it is answered, for the log. */
interface Seen {
  /** Known once the token was right: before, it may be anything. */
  task?: string;
  providerTaskId?: string;
  /** The envelope's. */
  code?: number;
  /** The state that it tells of, in our words; else how much it says. */
  state?: string;
}

function report(
  { log, onResult }: KieWebhookOptions,
  seen: Seen & { readonly reqId: string; readonly ms: number },
  outcome: Taken | Refusal,
): void {
  if (typeof outcome === 'string') {
    log.info({ ...seen, result: outcome, status: 200 }, 'callback');
    onResult?.({ result: outcome, status: 200 });
    return;
  }
  const { detail, rung, status } = outcome;
  log.warn({ ...seen, result: rung, status, detail }, 'callback');
  onResult?.({ result: rung, status });
}

type Taken = 'applied' | 'noted';

async function climb(
  { hmacKeys, now, tasks }: KieWebhookOptions,
  request: IncomingMessage,
  body: Buffer | null,
  seen: Seen,
): Promise<Taken | Refusal> {
  if (request.method !== 'POST') return REFUSALS.method;
  const [, taskId, token] = PATH.exec(request.url ?? '') ?? [];
  if (taskId === undefined || token === undefined) return REFUSALS.path;
  if (!tasks.isToken(taskId, token)) return REFUSALS.token;
  seen.task = taskId;
  if (!body) return REFUSALS.size;
  if (!isJson(request.headers['content-type'])) return REFUSALS.mediaType;
  const callback = parseCallback(parseJson(body.toString()));
  if (!callback) return REFUSALS.envelope;
  const { answer } = callback;
  seen.code = callback.code;
  seen.state = answer.kind === 'update' ? answer.update.state : answer.kind;
  const [providerTaskId, ...otherIds] = callback.ids;
  if (providerTaskId === undefined) return REFUSALS.noId;
  seen.providerTaskId = providerTaskId;
  if (otherIds.length > 0) return REFUSALS.differentIds;
  const recognised = await tasks.recognise({ taskId, providerTaskId });
  if (recognised === 'conflict') return REFUSALS.otherTask;

  const keys = hmacKeys();
  const headers = {
    timestamp: headerOf(request, 'x-webhook-timestamp'),
    signature: headerOf(request, 'x-webhook-signature'),
  };
  if (keys.length > 0 && !verifySignature(keys, providerTaskId, headers, now())) {
    await tasks.distrust({ taskId, providerTaskId });
    return REFUSALS.signature;
  }
  const said = { taskId, providerTaskId, answer };
  const receipt = await (keys.length > 0 ? tasks.takeSigned(said, recognised) : tasks.takeUnsigned(said));
  if (receipt === 'unknown-task') return REFUSALS.task;
  return receipt === 'conflict' ? REFUSALS.otherTask : receipt;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? '');
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function refuse(response: ServerResponse, { detail, hint, status }: Refusal): void {
  const headers = {
    ...(status === 405 && { allow: 'POST' }),
    ...(status === 503 && { 'retry-after': '5' }),
  };
  sendProblem(response, problem(status, detail, { hint }), headers);
}
