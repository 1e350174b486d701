import Fastify, { type FastifyInstance } from 'fastify';
import { authorize } from './authorize.ts';
import { createTaskHandler } from './create-task.ts';
import { success } from './envelope.ts';
import type { Ledger } from './ledger.ts';
import { createRateWindow } from './rate-window.ts';
import { recordInfoHandler } from './record-info.ts';
import { notFound, requestErrors } from './request-errors.ts';
import { sandboxFiles } from './sandbox-files.ts';
import type { SandboxSettings } from './sandbox-options.ts';
import type { TaskRunner } from './task-runner.ts';

/** What the routes work with beside the settings. */
export interface ServerParts {
  readonly ledger: Ledger;
  readonly runner: TaskRunner;
  readonly filesUrl: () => string;
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
      api.addHook('onRequest', authorize(settings.apiKey));
      api.post('/jobs/createTask', createTask);
      api.get('/jobs/recordInfo', recordInfo);
      api.get('/chat/credit', () => success(parts.ledger.credits()));
      done();
    },
    { prefix: '/api/v1' },
  );
  app.register(sandboxFiles, { prefix: '/files' });
  return app;
}
