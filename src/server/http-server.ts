import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem } from '../problem.ts';
import { closeWithoutWaiting } from './close-without-waiting.ts';
import type { Forwarded } from './forwarded.ts';
import type { HostPolicy } from './host-policy.ts';
import { createRefuseBroken } from './refuse-broken.ts';
import { withoutSchemas } from './without-schemas.ts';

/** What is sent is what it says it is, in nobody's frame, and its address is nobody else's business. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};
const SECURITY_FIELDS = Object.entries(SECURITY_HEADERS);

const HOST_HINT =
  'Call it by a loopback name or by its PUBLIC_URL; or configure API keys or tokens, then any name will do.';

/** How to mend what is refused before any route sees it. */
const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'Write the address with valid percent-encoding.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Send JSON, with the header Content-Type: application/json.',
};

export interface HttpServerOptions {
  readonly log: FastifyBaseLogger;
  readonly maxBodyBytes: number;
  /** How long a request may take to arrive whole, in ms: a slow body must not hold a connection for ever. */
  readonly requestTimeoutMs: number;
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
}

/** An HTTP server without routes: what is refused is refused with problem details, and each request logs one line. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { forwarded, isOurHost, log, maxBodyBytes, requestTimeoutMs } = options;
  const refuseError = createRefuse({
    ...HINTS,
    FST_ERR_CTP_BODY_TOO_LARGE: `Send at most ${inUnits(maxBodyBytes)}.`,
  });
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // Making one for each request takes longer than writing its line; what is logged of it names it by `reqId`.
    childLoggerFactory: (logger) => logger,
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 4) },
    forceCloseConnections: 'idle',
    // Addresses that cannot be read; they reach no other handler.
    frameworkErrors: refuseError,
    clientErrorHandler: createRefuseBroken(requestTimeoutMs),
    schemaController: withoutSchemas,
  });

  // Looking for secrets by name costs more than the rest of a line, and each request writes one.
  const requests = log.child({}, { redact: [] });
  closeWithoutWaiting(app);

  app.addHook('onRequest', (request, reply, done) => {
    // On the raw answer, so that those that other engines send carry them too.
    for (const [name, value] of SECURITY_FIELDS) reply.raw.setHeader(name, value);
    // Tunnels call the webhooks under names that we do not know; those have their own tokens.
    if (request.url.startsWith('/webhooks/') || isOurHost(forwarded.hostOf(request.raw))) {
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
    requests.info({ reqId: request.id, method, route, status: reply.statusCode, ms }, 'request');
    done();
  });

  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type(PROBLEM_MEDIA_TYPE)
      .send(problem(404, 'There is nothing here.', { hint: 'The API is at /graphql.' })),
  );

  app.setErrorHandler<FastifyError>(refuseError);

  return app;
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
