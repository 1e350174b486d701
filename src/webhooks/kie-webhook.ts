import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem } from '../problem.ts';
import { parseCallback } from '../provider/callback.ts';
import { parseJson } from '../provider/envelope.ts';
import { StoreUnavailableError } from '../tasks/store.ts';
import type { TaskCallbacks } from '../tasks/tasks.ts';
import { readBody } from './read-body.ts';
import { REFUSALS, type Refusal } from './refusals.ts';
import { verifySignature } from './verify-signature.ts';

export interface KieWebhookOptions {
  readonly tasks: TaskCallbacks;
  /** Any of them may have signed a callback; without keys a callback is only a hint. Asked for at each callback. */
  readonly hmacKeys: () => readonly string[];
  readonly now: () => number;
}

const MAX_BODY_BYTES = 256 * 1024;
const PATH = /^\/webhooks\/kie\/([^/?]{1,100})\/([^/?]{1,200})(?:\?|$)/;

/**
 * `POST /webhooks/kie/{taskId}/{token}`: what kie.ai calls when a task has ended. Each rung of the ladder answers early;
 * 200 is said only when the callback is durable, and 503 asks for the callback to be repeated.
 */
export function kieWebhook(app: FastifyInstance, options: KieWebhookOptions): void {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const body = await readBody(request.raw, MAX_BODY_BYTES);
    const refusal = await climb(options, request, body).catch(toUnavailable);
    // What is left of a body that was not read to its end would be taken for the next request.
    if (!request.raw.complete) reply.header('connection', 'close');
    if (!refusal) return reply.send({ code: 200, msg: 'success' });
    const { detail, status } = refusal;
    request.log.warn({ reqId: request.id, status, detail }, 'a callback was not taken');
    return refuse(reply, refusal);
  };
  // Answered in a hook: Fastify refuses bodies that no handler could read before it calls one, and the ladder asks for
  // the token first.
  app.all('/webhooks/*', { onRequest: answer }, () => {
    throw new Error('the ladder answers every callback');
  });
}

async function climb(
  { hmacKeys, now, tasks }: KieWebhookOptions,
  request: FastifyRequest,
  body: Buffer | null,
): Promise<Refusal | null> {
  if (request.method !== 'POST') return REFUSALS.method;
  const [, taskId, token] = PATH.exec(request.url) ?? [];
  if (taskId === undefined || token === undefined) return REFUSALS.path;
  if (!tasks.isToken(taskId, token)) return REFUSALS.token;
  if (!body) return REFUSALS.size;
  if (!isJson(request.headers['content-type'])) return REFUSALS.mediaType;
  const callback = parseCallback(parseJson(body.toString()));
  if (!callback) return REFUSALS.envelope;
  const [providerTaskId, ...otherIds] = callback.ids;
  if (providerTaskId === undefined) return REFUSALS.noId;
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
  const report = { taskId, providerTaskId, answer: callback.answer };
  const receipt = await (keys.length > 0 ? tasks.takeSigned(report, recognised) : tasks.takeUnsigned(report));
  if (receipt === 'unknown-task') return REFUSALS.task;
  return receipt === 'conflict' ? REFUSALS.otherTask : null;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType ?? '');
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function toUnavailable(error: unknown): Refusal {
  if (error instanceof StoreUnavailableError) return REFUSALS.store;
  throw error;
}

async function refuse(reply: FastifyReply, { detail, hint, status }: Refusal): Promise<FastifyReply> {
  if (status === 405) reply.header('allow', 'POST');
  if (status === 503) reply.header('retry-after', '5');
  return reply
    .code(status)
    .type(PROBLEM_MEDIA_TYPE)
    .send(problem(status, detail, { hint }));
}
