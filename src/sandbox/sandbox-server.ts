import multipart from '@fastify/multipart';
import Fastify, { type FastifyInstance } from 'fastify';
import { authorize } from './authorize.ts';
import { createTaskHandler } from './create-task.ts';
import { downloadUrlHandler } from './download-url.ts';
import { refusal, success } from './envelope.ts';
import type { Ledger } from './ledger.ts';
import { MAX_BASE64_BODY_BYTES, base64UploadHandler, urlUploadHandler } from './json-uploads.ts';
import { refuseUpload } from './keep-file.ts';
import { createRateWindow } from './rate-window.ts';
import { recordInfoHandler } from './record-info.ts';
import { notFound, requestErrors } from './request-errors.ts';
import { sandboxFiles } from './sandbox-files.ts';
import type { SandboxSettings } from './sandbox-options.ts';
import { streamUploadHandler } from './stream-upload.ts';
import type { TaskRunner } from './task-runner.ts';

/** What the routes work with beside the settings. */
export interface ServerParts {
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
