import type { Server } from 'node:http';
import { CATALOGUE_PATH, catalogueHandler } from './catalogue.ts';
import { createRateWindow, refusal, success, type Envelope, type Log } from './envelope.ts';
import { createSandboxFiles } from './files.ts';
import { createApiServer, type ApiRoute, type Call } from './http.ts';
import { createTaskHandler, recordInfoHandler, type Tasks } from './tasks.ts';
import { MAX_BASE64_BODY_BYTES, refuseUpload, uploadHandlers } from './uploads.ts';

interface ServerOptions {
  readonly apiKey?: string;
  readonly credits: number;
  readonly durationMs: number;
  readonly invisibleMs: number;
  readonly createsPer10s: number;
  readonly queriesPerS: number;
  readonly lookupsPerS: number;
  readonly tasks: Tasks;
  readonly filesUrl: () => string;
  readonly uploadsDir: string;
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

const MAX_BODY_BYTES = 1024 * 1024;

/** The sandbox's HTTP server, not yet listening. */
export function createSandboxServer(options: ServerOptions): Server {
  const { apiKey, createsPer10s, filesUrl, log, lookupsPerS, queriesPerS, tasks, uploadsDir } = options;
  const creates = createRateWindow(createsPer10s, 10_000);
  const queries = createRateWindow(queriesPerS, 1_000);
  const catalogue = catalogueHandler(createRateWindow(lookupsPerS, 1_000));
  const uploads = uploadHandlers(options);
  const api = { refused: refusal(401) };
  // kie.ai serves these on another host.
  const upload = { refused: refuseUpload(401, 'Authentication failed: Invalid API Key') };
  const maxBodyBytes = MAX_BODY_BYTES;
  const routes: Readonly<Record<string, ApiRoute>> = {
    'POST /api/v1/jobs/createTask': {
      ...api,
      maxBodyBytes,
      handle: createTaskHandler({ ...options, creates }),
    },
    'GET /api/v1/jobs/recordInfo': { ...api, handle: recordInfoHandler({ ...options, queries }) },
    [`GET ${CATALOGUE_PATH}`]: { ...api, handle: catalogue },
    [`GET ${CATALOGUE_PATH}/*`]: { ...api, handle: catalogue },
    'GET /api/v1/chat/credit': { ...api, handle: () => success(tasks.credits()) },
    'POST /api/v1/common/download-url': { ...api, maxBodyBytes, handle: downloadUrlHandler(filesUrl) },
    'POST /api/file-stream-upload': { ...upload, handle: uploads.stream },
    'POST /api/file-base64-upload': {
      ...upload,
      maxBodyBytes: MAX_BASE64_BODY_BYTES,
      handle: uploads.base64,
    },
    'POST /api/file-url-upload': { ...upload, maxBodyBytes, handle: uploads.url },
  };
  return createApiServer({ apiKey, files: createSandboxFiles(uploadsDir), log, routes });
}

/**
 * `POST /api/v1/common/download-url`: a link to a result file for 20 minutes (kie.ai docs: "Get Download URL"). Files of the
 * sandbox are public, so the link is the same URL; any other URL is 422, as at kie.ai.
 */
function downloadUrlHandler(filesUrl: () => string) {
  return ({ body }: Call): Envelope => {
    const url = (body as { readonly url?: unknown } | null)?.url;
    const isOurs = typeof url === 'string' && url.startsWith(`${filesUrl()}/`);
    return isOurs ? success(url) : refusal(422, 'The url must be one that this service has made');
  };
}
