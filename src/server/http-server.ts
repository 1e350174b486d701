import Fastify, { LogController } from 'fastify';
import { createServer, type ServerOptions } from 'node:http';
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem } from '../problem.ts';
import { closeWithoutWaiting } from './close-without-waiting.ts';
import type { Forwarded } from './forwarded.ts';
import type { HostPolicy } from './host-policy.ts';
import { createDirectRoutes, type DirectRoutes } from './direct-routes.ts';
import { createRefuseBroken } from './refuse-broken.ts';
import { SECURITY_FIELDS, SECURITY_HEADERS } from './security-headers.ts';
import { withoutSchemas } from './without-schemas.ts';

/** Longer than the load balancers in front of us keep connections: they must not send on one that we are just closing. */
const KEEP_ALIVE_MS = 72_000;

/** Pictures may take long to arrive, headers may not. */
const MAX_HEADERS_MS = 30_000;

const HOST_HINT =
  'Call it by a loopback name or by its PUBLIC_URL; or configure API keys or tokens, then any name will do.';

/** How to mend what is refused before any route sees it. */
const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'Write the address with valid percent-encoding.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send JSON, with the header Content-Type: application/json.',
};

export interface HttpServerOptions {
  readonly log: FastifyBaseLogger;
  /** The same for lines that come by the thousand. */
  readonly lines: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  /** How long a request may take to arrive whole, in ms: a slow body must not hold a connection for ever. */
  readonly requestTimeoutMs: number;
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Asked for each request before `app` is. */
  readonly direct: DirectRoutes;
  /** A name for a request in the log that none of both answers. */
  readonly nextId: () => string;
}

/** An HTTP server without routes: what is refused is refused with problem details, and each request logs one line. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { forwarded, isOurHost, lines, log, maxBodyBytes, requestTimeoutMs } = options;
  const refuseError = createRefuse({
    ...HINTS,
    FST_ERR_CTP_BODY_TOO_LARGE: `Send at most ${inUnits(maxBodyBytes)}.`,
  });
  const nextId = createRequestIds();
  const direct = createDirectRoutes({ log, requests: lines, nextId });
  const app = Fastify({
    loggerInstance: log,
    genReqId: nextId,
    serverFactory: (handle) =>
      createServer(timeouts(requestTimeoutMs), (request, response) => {
        if (!direct.take(request, response)) handle(request, response);
      }),
    logController: new LogController({ disableRequestLogging: true }),
    // Making one for each request takes longer than writing its line; what is logged of it names it by `reqId`.
    childLoggerFactory: (logger) => logger,
    bodyLimit: maxBodyBytes,
    forceCloseConnections: 'idle',
    // Addresses that cannot be read; they reach no other handler.
    frameworkErrors: refuseError,
    clientErrorHandler: createRefuseBroken(requestTimeoutMs),
    schemaController: withoutSchemas,
  });

  closeWithoutWaiting(app);
  app.addHook('preClose', (done) => {
    direct.close();
    done();
  });

  app.addHook('onRequest', (request, reply, done) => {
    // On the raw answer, so that those that other engines send carry them too.
    for (const [name, value] of SECURITY_FIELDS) reply.raw.setHeader(name, value);
    if (isOurHost(forwarded.hostOf(request.raw))) {
      done();
      return;
    }
    void reply
      .code(421)
      .type(PROBLEM_MEDIA_TYPE)
      .send(problem(421, 'This gateway does not go by that name.', { hint: HOST_HINT }));
  });

  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const { method } = request;
    const ms = Math.round(reply.elapsedTime);
    lines.info({ reqId: request.id, method, route, status: reply.statusCode, ms }, 'request');
    done();
  });

  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type(PROBLEM_MEDIA_TYPE)
      .send(problem(404, 'There is nothing here.', { hint: 'The API is at /graphql.' })),
  );

  app.setErrorHandler<FastifyError>(refuseError);

  return { app, direct, nextId };
}

function timeouts(requestTimeoutMs: number): ServerOptions {
  return {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(requestTimeoutMs, MAX_HEADERS_MS),
    connectionsCheckingInterval: Math.ceil(Math.min(requestTimeoutMs, MAX_HEADERS_MS) / 4),
  };
}

/** Names for the requests of one process, for the log. */
function createRequestIds(): () => string {
  let count = 0;
  return () => `req-${(count += 1).toString(36)}`;
}

function inUnits(bytes: number): string {
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}

type Refuse = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void;

function createRefuse(hints: Readonly<Record<string, string>>): Refuse {
  return (error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ reqId: request.id, err: error }, 'a request failed unexpectedly');
    const detail = status >= 500 ? 'Something unexpected went wrong here.' : error.message;
    const hint = hints[error.code];
    void reply
      .code(status)
      // What is refused before any hook has none of them yet.
      .headers(SECURITY_HEADERS)
      .type(PROBLEM_MEDIA_TYPE)
      .send(problem(status, detail, hint === undefined ? {} : { hint }));
  };
}
