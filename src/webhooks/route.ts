import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendRefusal } from '../http/problem.ts';
import { secondsOf, type Refusal } from '../limits/refusal.ts';
import { type Log, createOccasionalLog, type OccasionalLog } from '../tasks/log.ts';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { TaskCallbacks } from '../tasks/tasks.ts';
import { REFUSALS, resultOf, UNEXPECTED, type CallbackResult } from './refusals.ts';
import type { Provider, ProviderCallback } from '../tasks/provider.ts';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { readBody } from '../http/body.ts';

interface WebhookOptions {
  readonly tasks: TaskCallbacks;
  readonly provider: Pick<Provider, 'name' | 'parseCallback' | 'verifyCallback'>;
  readonly now: () => number;
  readonly log: Log;
  /** Counts a wrong token or signature of a client. Returns the ms to wait if there were too many, or null. */
  readonly countWrong: (request: IncomingMessage) => Promise<number | null>;
  /** Called with the result of each callback. */
  readonly onResult?: (result: CallbackResult) => void;
}

const PATH = /^\/webhooks\/([a-z]+)\/([^/?]{1,100})\/([^/?]{1,200})\/?(?:\?|$)/;

/** Paths of callbacks begin with this. */
export const WEBHOOKS_PATH = '/webhooks/';

/** The path to which the provider sends the callbacks of a task. */
export function webhookPath(provider: string, taskId: string, token: string): string {
  return `${WEBHOOKS_PATH}${provider}/${taskId}/${token}`;
}

/** Answers a callback; `reqId` names it in the log. Rejects if the client leaves, and with unexpected errors. */
type Webhook = (request: IncomingMessage, response: ServerResponse, reqId: string) => Promise<void>;

/**
 * `POST /webhooks/{provider}/{taskId}/{token}`: the provider calls it when a task has ended. Checks run in order, and the
 * first that fails answers. The body is read only if method, path, token and declared size are right. 200 means committed,
 * and 503 asks the provider to retry.
 */
export function createWebhook(options: WebhookOptions): Webhook {
  const warnings = createOccasionalLog(options.log);
  return async (request, response, reqId) => {
    const start = performance.now();
    const seen: Seen = {};
    const outcome = await check(options, request, seen).catch((error: unknown) => {
      if (error instanceof StoreUnavailableError) return REFUSALS.store;
      options.onResult?.(UNEXPECTED);
      throw error;
    });
    const ms = Math.round(performance.now() - start);
    report(options, warnings, { reqId, ...seen, ms }, outcome);
    if (typeof outcome === 'string') response.writeHead(200, TAKEN_HEADERS).end(TAKEN);
    else sendRefusal(response, outcome);
  };
}

/** Providers read the status only; kie.ai's documentation shows this body. */
const TAKEN = JSON.stringify({ code: 200, msg: 'success' });
const TAKEN_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': Buffer.byteLength(TAKEN),
};

/** What the log says about a callback. */
interface Seen {
  /** Set once the token was right: before, it may be any text. */
  task?: string;
  providerTaskId?: string;
  /** The code of the envelope. */
  code?: number;
  /** The reported state as a TaskState, or the kind of the answer. */
  state?: string;
}

function report(
  { log, onResult }: WebhookOptions,
  warnings: OccasionalLog,
  seen: Seen & { readonly reqId: string; readonly ms: number },
  outcome: Taken | Refusal,
): void {
  if (typeof outcome === 'string') {
    log.info({ ...seen, result: outcome, status: 200 }, 'callback');
    onResult?.({ result: outcome, status: 200 });
    return;
  }
  const { result, status } = resultOf(outcome);
  // Anybody can cause these, as often as they like.
  warnings.warn(`${result} ${status}`, { ...seen, result, status, detail: outcome.message }, 'callback');
  onResult?.({ result, status });
}

type Taken = 'applied' | 'noted';

async function check(
  options: WebhookOptions,
  request: IncomingMessage,
  seen: Seen,
): Promise<Taken | Refusal> {
  const { provider, tasks } = options;
  const [, name, taskId, token] = PATH.exec(request.url ?? '') ?? [];
  const isPath = name === provider.name && taskId !== undefined && token !== undefined;
  if (!isPath || !tasks.isToken(taskId, token)) {
    if (request.method !== 'POST') return REFUSALS.method;
    return isPath ? wrong(options, request, REFUSALS.token) : REFUSALS.path;
  }
  seen.task = taskId;
  const callback = await readIfPosted(provider, request);
  if ('status' in callback) {
    // Somebody who knows the URL has called it, so the task has probably ended.
    await tasks.querySoon(taskId);
    return callback;
  }
  return take(options, request, { taskId, ...callback }, seen);
}

function readIfPosted(
  provider: WebhookOptions['provider'],
  request: IncomingMessage,
): Refusal | Promise<ReadCallback | Refusal> {
  if (request.method !== 'POST') return REFUSALS.method;
  return isTooLarge(request) ? REFUSALS.size : readCallback(provider, request);
}

/** The refusal of a wrong secret, or the one for too many of them. Correct secrets never get here. */
async function wrong(
  { countWrong }: WebhookOptions,
  request: IncomingMessage,
  refusal: Refusal,
): Promise<Refusal> {
  const waitMs = await countWrong(request);
  return waitMs === null ? refusal : { ...REFUSALS.tooManyWrong, retryAfter: secondsOf(waitMs) };
}

async function take(
  options: WebhookOptions,
  request: IncomingMessage,
  callback: ReadCallback & { readonly taskId: string },
  seen: Seen,
): Promise<Taken | Refusal> {
  const { now, provider, tasks } = options;
  const { answer, code, providerTaskId } = callback;
  seen.code = code;
  seen.state = answer.kind === 'update' ? answer.update.state : answer.kind;
  seen.providerTaskId = providerTaskId;
  const signature = provider.verifyCallback(providerTaskId, (name) => headerOf(request, name), now());
  const receipt = await tasks.receive(callback, signature);
  if (receipt === 'conflict') return REFUSALS.otherTask;
  if (signature === 'wrong') return wrong(options, request, REFUSALS.signature);
  return receipt === 'unknown-task' ? REFUSALS.task : receipt;
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const MAX_BODY_BYTES = 256 * 1024;

const DECODERS = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** A callback with a valid body. */
type ReadCallback = ProviderCallback & { readonly providerTaskId: string };

/** Whether the declared size of the body is too large. */
function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES;
}

/**
 * Reads the body of a callback, or returns why it is refused. The client has shown a token, so any media type is accepted.
 * Rejects if the client leaves.
 */
async function readCallback(
  provider: WebhookOptions['provider'],
  request: IncomingMessage,
): Promise<ReadCallback | Refusal> {
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) return REFUSALS.size;
  const decoded = await decode(body, request.headers['content-encoding']);
  if (!Buffer.isBuffer(decoded)) return decoded;
  const callback = provider.parseCallback(decoded.toString());
  if (callback === 'not-json') return notJson(decoded, request.headers['content-type']);
  if (callback === 'other') return REFUSALS.envelope;
  const [providerTaskId, ...otherIds] = callback.ids;
  if (providerTaskId === undefined) return REFUSALS.noId;
  return otherIds.length > 0 ? REFUSALS.differentIds : { ...callback, providerTaskId };
}

async function decode(body: Buffer, encoding = 'identity'): Promise<Buffer | Refusal> {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity') return body;
  if (!isKnown(name)) return quoting(REFUSALS.encoding, encoding);
  try {
    return await DECODERS[name](body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (error) {
    const isLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    return isLarge ? REFUSALS.size : quoting(REFUSALS.brokenEncoding, encoding);
  }
}

function isKnown(name: string): name is keyof typeof DECODERS {
  return Object.hasOwn(DECODERS, name);
}

function notJson(body: Buffer, contentType: string | undefined): Refusal {
  if (body.length === 0) return REFUSALS.empty;
  const isDeclared = contentType === undefined || isJson(contentType);
  return isDeclared ? REFUSALS.json : quoting(REFUSALS.mediaType, contentType);
}

/** The same refusal, with what the client declared. */
function quoting(refusal: Refusal, declared: string): Refusal {
  return { ...refusal, message: `${refusal.message} It is declared as "${declared.slice(0, 100)}".` };
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
}
