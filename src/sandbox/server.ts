import type { Server } from 'node:http';
import { refusal, success, createRateWindow, type Log } from './envelope.ts';
import { createApiServer, type ApiRoute } from './http.ts';
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
import { createSandboxFiles } from './files.ts';

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

const MAX_BODY_BYTES = 1024 * 1024;

/** The sandbox's HTTP server. It does not listen yet. */
export function createSandboxServer(settings: SandboxSettings, parts: ServerParts): Server {
  const { apiKey, log } = settings;
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
  const api = (handle: ApiRoute['handle'], maxBodyBytes?: number): ApiRoute =>
    withLimit({ handle, refused: refusal(401) }, maxBodyBytes);
  // With kie.ai it is another host.
  const uploads = (handle: ApiRoute['handle'], maxBodyBytes?: number): ApiRoute =>
    withLimit({ handle, refused: refuseUpload(401, 'Authentication failed: Invalid API Key') }, maxBodyBytes);
  return createApiServer({
    apiKey,
    log,
    files: createSandboxFiles(parts.uploadsDir),
    routes: {
      'POST /api/v1/jobs/createTask': api(createTask, MAX_BODY_BYTES),
      'GET /api/v1/jobs/recordInfo': api(recordInfo),
      'GET /api/v1/chat/credit': api(() => success(parts.ledger.credits())),
      'POST /api/v1/common/download-url': api(downloadUrlHandler(parts.filesUrl), MAX_BODY_BYTES),
      'POST /api/file-stream-upload': uploads(streamUploadHandler(parts)),
      'POST /api/file-base64-upload': uploads(base64UploadHandler(parts), MAX_BASE64_BODY_BYTES),
      'POST /api/file-url-upload': uploads(urlUploadHandler(parts, parts.closing), MAX_BODY_BYTES),
    },
  });
}

function withLimit(route: ApiRoute, maxBodyBytes: number | undefined): ApiRoute {
  return maxBodyBytes === undefined ? route : { ...route, maxBodyBytes };
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
