import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyError, FastifyInstance } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem } from '../problem.ts';

/** How long a request may take to arrive whole, in ms: a slow body must not hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 256 * 1024;

/** An HTTP server without routes: what is refused is refused with problem details, and each request logs one line. */
export function createHttpServer(log: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
  });

  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const { method } = request;
    request.log.info(
      { method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    );
    done();
  });

  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type(PROBLEM_MEDIA_TYPE)
      .send(problem(404, 'There is nothing here.', { hint: 'The API is at /graphql.' })),
  );

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'a request failed unexpectedly');
    const detail = status >= 500 ? 'Something unexpected went wrong here.' : error.message;
    return reply.code(status).type(PROBLEM_MEDIA_TYPE).send(problem(status, detail));
  });

  return app;
}
