import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance } from 'fastify';
import { authorize, refusal, success, createRateWindow, type Envelope, type Log } from './envelope.ts';
import { createTaskHandler, type TaskRunner } from './tasks.ts';
import { downloadUrlHandler, recordInfoHandler } from './queries.ts';
import type { Ledger } from './state.ts';
import {
  MAX_BASE64_BODY_BYTES,
  base64UploadHandler,
  urlUploadHandler,
  refuseUpload,
  streamUploadHandler,
} from './uploads.ts';
import { sandboxFiles } from './files.ts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** What the routes work with beside the settings. */
interface ServerParts {
  readonly ledger: Ledger;
  readonly runner: TaskRunner;
  readonly filesUrl: () => string;
  readonly uploadsDir: string;
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal;
}

function refillHint({ stateFile, credits }: SandboxSettings): string {
  const how =
    stateFile === undefined ? 'Start the sandbox again' : `Stop the sandbox and remove ${stateFile}`;
  return `${how} to begin with ${credits} once more.`;
}

/** The sandbox's HTTP server, not yet listening. Closing it cuts the connections that are open. */
export function createSandboxServer(settings: SandboxSettings, parts: ServerParts): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(requestErrors(settings.log));
  app.setNotFoundHandler(notFound);

  const createTask = createTaskHandler({
    ...parts,
    creates: createRateWindow(settings.createsPer10s, 10_000),
    durationMs: settings.durationMs,
    refillHint: refillHint(settings),
  });
  const recordInfo = recordInfoHandler({
    ...parts,
    queries: createRateWindow(settings.queriesPerS, 1_000),
    invisibleMs: settings.invisibleMs,
  });

  app.register(
    (api, _options, done) => {
      api.addHook('onRequest', authorize(settings.apiKey, refusal(401)));
      api.post('/jobs/createTask', createTask);
      api.get('/jobs/recordInfo', recordInfo);
      api.get('/chat/credit', () => success(parts.ledger.credits()));
      api.post('/common/download-url', downloadUrlHandler(parts.filesUrl));
      done();
    },
    { prefix: '/api/v1' },
  );
  // With kie.ai it is another host.
  app.register(
    (uploads, _options, done) => {
      const refused = refuseUpload(401, 'Authentication failed: Invalid API Key');
      uploads.addHook('onRequest', authorize(settings.apiKey, refused));
      uploads.register(multipart);
      uploads.post('/file-stream-upload', streamUploadHandler(parts));
      const large = { bodyLimit: MAX_BASE64_BODY_BYTES };
      uploads.post('/file-base64-upload', large, base64UploadHandler(parts));
      uploads.post('/file-url-upload', urlUploadHandler(parts, parts.closing));
      done();
    },
    { prefix: '/api' },
  );
  app.register(sandboxFiles, { prefix: '/files', uploadsDir: parts.uploadsDir });
  return app;
}

const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send the body as JSON, with the header Content-Type: application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty; send {"model": …, "input": {…}} as JSON.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON; check quotes, commas and braces.',
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too large; send the address of an image, not its content.',
};

/** Answers a path or method that does not exist with an envelope that lists those that do. */
function notFound(request: FastifyRequest, reply: FastifyReply): Envelope {
  reply.code(404);
  const known =
    'POST /api/v1/jobs/createTask, GET /api/v1/jobs/recordInfo?taskId=, GET /api/v1/chat/credit, ' +
    'POST /api/v1/common/download-url, POST /api/file-stream-upload, /api/file-base64-upload and /api/file-url-upload';
  return refusal(
    404,
    `Not found: ${request.method} ${request.url}. There are ${known} and GET /files/{taskId}.mp4.`,
  );
}

/** Answers requests that could not be read, and our own mistakes, with an envelope; the latter are logged. */
function requestErrors(log: Log) {
  return function answerError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): Envelope {
    const status = error.statusCode ?? 500;
    reply.code(status);
    if (status < 500) return refusal(400, HINTS[error.code] ?? error.message);
    log('The sandbox failed to answer a request', { error });
    return refusal(500);
  };
}

/** How a sandbox behaves. Times are in milliseconds. */
export interface SandboxOptions {
  /** The address to listen on; 127.0.0.1 when absent. */
  readonly host?: string;
  /** 0, or absent: any free port. */
  readonly port?: number;
  /** The Bearer to ask for; any non-empty one when absent. */
  readonly apiKey?: string;
  /** Signs the callbacks; '' leaves them unsigned. */
  readonly hmacKey: string;
  /** Where the balance and the recent tasks are kept; in memory when absent. */
  readonly stateFile?: string;
  /** Where uploaded pictures are kept for a day; a directory of its own, gone with the sandbox, when absent. */
  readonly uploadsDir?: string;
  /** The base address of result files, asked each time a result is shown; the sandbox's own when absent. */
  readonly filesUrl?: () => string;
  /** The balance of a new account. */
  readonly credits?: number;
  /** From a task's creation to its end. */
  readonly durationMs?: number;
  /** How long recordInfo knows nothing of a new task. */
  readonly invisibleMs?: number;
  readonly createsPer10s?: number;
  readonly queriesPerS?: number;
  /** A receiver's time to answer a callback. */
  readonly callbackTimeoutMs?: number;
  /** The pause before each repetition of a callback that failed. */
  readonly callbackRetryDelaysMs?: readonly number[];
  readonly log?: Log;
}

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  credits: 10_000,
  durationMs: 6_000,
  invisibleMs: 1_000,
  createsPer10s: 20,
  queriesPerS: 10,
  callbackTimeoutMs: 15_000,
  callbackRetryDelaysMs: [1_000, 2_000, 4_000],
  log: () => undefined,
} satisfies Partial<SandboxOptions>;

/** The options with nothing left open but what has no default. */
export type SandboxSettings = SandboxOptions & Required<Pick<SandboxOptions, keyof typeof DEFAULTS>>;

/** Fills in what was left out, with the provider's published limits where there are any. */
export function withDefaults(options: SandboxOptions): SandboxSettings {
  return { ...DEFAULTS, ...options };
}
