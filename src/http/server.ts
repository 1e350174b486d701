import Fastify, { LogController } from 'fastify';
import {
  createServer,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
  maxHeaderSize,
} from 'node:http';
import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifyServerOptions,
} from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem, rawAnswer, type Problem } from './problem.ts';
import { createAnswers } from './slow-clients.ts';
import type { AllowOrigin } from './origins.ts';
import { createDirectRoutes, type DirectRoutes, inTurn } from './router.ts';
import type { Forwarded } from './forwarded.ts';
import type { Gate } from './gate.ts';
import { Incoming } from './incoming.ts';
import { REQUEST_ID_FIELD, createRequestLog, type RequestLog } from './request-log.ts';
import { answerUnrouted } from './unrouted.ts';
import type { Duplex } from 'node:stream';
import { parseUrl } from '../url.ts';

/** Longer than the load balancers in front of us keep connections: they must not send on one that we are just closing. */
const KEEP_ALIVE_MS = 72_000;

/** Pictures may take long to arrive, headers may not. */
const MAX_HEADERS_MS = 30_000;

/** How to mend what is refused before any route sees it. */
const HINTS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'Write the address with valid percent-encoding.',
};

interface HttpServerOptions {
  readonly log: FastifyBaseLogger;
  /** The same for lines that come by the thousand. */
  readonly lines: FastifyBaseLogger;
  /** How long a request may take to arrive whole, in ms: a slow body must not hold a connection for ever. */
  readonly requestTimeoutMs: number;
  /** How long a client may take nothing of an answer that waits for it, in ms. */
  readonly slowReaderMs: number;
  readonly forwarded: Forwarded;
  readonly gate: Gate;
  readonly allowOrigin: AllowOrigin;
}

export interface HttpServer {
  readonly app: FastifyInstance;
  /** Asked for each request before `app` is. */
  readonly direct: DirectRoutes;
  /** A name for a request in the log that none of both answers. */
  readonly nextId: (request?: IncomingMessage) => string;
  readonly requests: RequestLog;
}

/**
 * An HTTP server without routes: what is refused is refused with problem details, and each request logs one line. It reads no
 * body: a route that wants one reads it, and those that nothing wants are thrown away as they come.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { allowOrigin, forwarded, gate, lines, log, requestTimeoutMs, slowReaderMs } = options;
  const nextId = createRequestIds(forwarded);
  const requests = createRequestLog(lines, (request) => forwarded.addressOf(request));
  const refuse: typeof refuseError = (error, request, reply) => {
    allowOrigin(request.raw, reply.raw);
    refuseError(error, request, reply);
  };
  const direct = createDirectRoutes({ log, requests, nextId, gate, allowOrigin });
  const app = Fastify({
    loggerInstance: log,
    genReqId: nextId,
    serverFactory: (handle) =>
      createServer(
        serverOptions(requestTimeoutMs),
        inTurn((request, response) => {
          answers.watch(request, response);
          // On the raw answer, so that those that other engines send carry them too.
          for (const [name, value] of SECURITY_FIELDS) response.setHeader(name, value);
          toOriginForm(request);
          requests.begin(request);
          if (!direct.take(request, response)) handle(request, response);
        }),
      ),
    logController: new LogController({ disableRequestLogging: true }),
    // Making one for each request takes longer than writing its line; what is logged of it names it by `reqId`.
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: 'idle',
    // Addresses that cannot be read; they reach no other handler.
    frameworkErrors: refuse,
    clientErrorHandler: createRefuseBroken(requestTimeoutMs),
    schemaController: withoutSchemas,
  });

  const answers = createAnswers(app.server, slowReaderMs);
  app.server.on('connect', refuseConnect);
  app.server.on('checkContinue', (request: Incoming, response: ServerResponse) => {
    continueWhenRead(request, response);
    app.server.emit('request', request, response);
  });
  // Other expectations may be ignored (RFC 9110, 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, parsed) => {
    parsed(null);
  });

  app.addHook('preClose', (done) => {
    direct.close();
    answers.close();
    done();
  });

  app.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeader(REQUEST_ID_FIELD, request.id);
    done();
  });

  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const ms = Math.round(reply.elapsedTime);
    requests.write(request.raw, { reqId: request.id, route, status: reply.statusCode, ms });
    done();
  });

  answerUnrouted(app, allowOrigin);
  app.setErrorHandler<FastifyError>(refuse);

  return { app, direct, nextId, requests };
}

function serverOptions(requestTimeoutMs: number): ServerOptions<typeof Incoming> {
  return {
    IncomingMessage: Incoming,
    // What names no host is refused with the others that name none.
    requireHostHeader: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(requestTimeoutMs, MAX_HEADERS_MS),
    connectionsCheckingInterval: Math.ceil(Math.min(requestTimeoutMs, MAX_HEADERS_MS) / 4),
  };
}

/** Names for the requests of one process, for the log, unless a proxy has named them. */
function createRequestIds({ requestIdOf }: Forwarded): HttpServer['nextId'] {
  let count = 0;
  return (request) => (request && requestIdOf(request)) ?? `req-${(count += 1).toString(36)}`;
}

/**
 * Asks for a body that waits for a 100 when a route begins to read it. A request that is refused before gets its answer alone,
 * and then its connection ends: nobody knows whether its body still comes.
 */
function continueWhenRead(request: Incoming, response: ServerResponse): void {
  const { shouldKeepAlive } = response;
  response.shouldKeepAlive = false;
  request.whenRead(() => {
    if (response.headersSent) return;
    response.shouldKeepAlive = shouldKeepAlive;
    response.writeContinue();
  });
}

/** An address that is written out whole, as for a proxy, counts more than Host (RFC 9112, 3.2.2). */
function toOriginForm(request: IncomingMessage): void {
  const { headers, url = '' } = request;
  const [, site = '', path = ''] = /^([a-z][a-z\d+.-]*:\/\/[^/\\?#]*)(.*)$/i.exec(url) ?? [];
  const named = parseUrl(site);
  if (!named) return;
  headers.host = named.host;
  request.url = path.startsWith('/') ? path : `/${path}`;
}

function refuseError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 500;
  if (status >= 500) request.log.error({ reqId: request.id, err: error }, 'a request failed unexpectedly');
  const detail = status >= 500 ? 'Something unexpected went wrong here.' : error.message;
  const hint = HINTS[error.code];
  void reply
    .code(status)
    .type(PROBLEM_MEDIA_TYPE)
    .send(problem(status, detail, hint === undefined ? {} : { hint }));
}

/** What is sent is what it says it is, in nobody's frame, and its address is nobody else's business. */
const SECURITY_FIELDS = Object.entries({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
});

/**
 * For a server whose routes have no JSON schemas. Fastify would compile code for validating and writing JSON by them, and
 * loads two hundred files for it before it knows of any route.
 */
const withoutSchemas = {
  compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema },
} satisfies FastifyServerOptions['schemaController'];

function refuseSchema(): never {
  throw new Error('The routes of this server have no schemas.');
}

type RefuseBroken = NonNullable<FastifyServerOptions['clientErrorHandler']>;

/**
 * Answers what never became a request, as far as that can still be told, and closes its connection. Nothing of it is
 * logged: the error carries the bytes as they came, with whatever secrets are among them.
 */
function createRefuseBroken(requestTimeoutMs: number): RefuseBroken {
  const late = problem(408, 'The request did not arrive in time.', {
    hint: `Send it whole within ${requestTimeoutMs / 1000} s.`,
  });
  return (error, socket) => {
    const answer = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? late : (BY_CODE[error.code] ?? MALFORMED);
    // In the middle of another answer it would be taken for a part of that.
    const { _httpMessage: under } = socket as { _httpMessage?: ServerResponse | null };
    if (error.code !== 'ECONNRESET' && socket.writable && !under?.headersSent)
      socket.write(rawAnswer(answer));
    socket.destroy();
  };
}

/** Answers whoever takes the gateway for a proxy. */
function refuseConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  socket.end(rawAnswer(NO_PROXY));
}

const NO_PROXY = problem(405, 'This is no proxy.', { hint: 'The API is at /graphql.' });

const MALFORMED = problem(400, 'This is no HTTP request.', {
  hint: 'Send HTTP/1.1, with one Host and one length.',
});

const BY_CODE: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: problem(431, 'The address and the headers are too long.', {
    hint: `Send at most ${maxHeaderSize / 1024} KiB of them; a long operation goes into the body of a POST.`,
  }),
};
