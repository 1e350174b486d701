import { once } from 'node:events';
import {
  createServer,
  maxHeaderSize,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { BaseLogger } from 'pino';
import { refusal, type Refusal } from '../limits/refusal.ts';
import { parseUrl } from '../url.ts';
import type { Forwarded } from './forwarded.ts';
import { MAX_HEADERS, type Gate } from './gate.ts';
import { Incoming } from './incoming.ts';
import type { AllowOrigin } from './origins.ts';
import { inTurn } from './pipelining.ts';
import { rawRefusal } from './problem.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { createRouter, type Router } from './router.ts';
import { watchClients } from './slow-clients.ts';

/** Longer than load balancers keep connections, which must not send a request on one that we are closing. */
const KEEP_ALIVE_MS = 72_000;
/** Bodies with images may take long to arrive, headers may not. */
const MAX_HEADERS_MS = 30_000;

interface HttpServerOptions {
  readonly log: BaseLogger;
  /** How long a request may take to arrive completely. */
  readonly requestTimeoutMs: number;
  /** How long a client may read nothing of a response. */
  readonly slowReaderMs: number;
  readonly forwarded: Forwarded;
  readonly gate: Gate;
  readonly allowOrigin: AllowOrigin;
}

export interface HttpServer {
  readonly node: Server;
  readonly router: Router;
  /** Returns a new request id for the log, or the one from a trusted proxy. */
  readonly nextId: (request?: IncomingMessage) => string;
  readonly requests: RequestLog;
  listen(options: { readonly host: string; readonly port: number }): Promise<void>;
  /** Refuses new requests, and resolves when the running ones are answered or cut. */
  close(): Promise<void>;
}

/** An HTTP server without routes. It reads no body: the routes do, and it discards what no route reads. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { forwarded, log, requestTimeoutMs, slowReaderMs } = options;
  const nextId = createRequestIds(forwarded);
  const requests = createRequestLog(log, (request) => forwarded.addressOf(request));
  const router = createRouter({ ...options, nextId, requests });
  const headersTimeoutMs = Math.min(requestTimeoutMs, MAX_HEADERS_MS);
  const node = createServer({
    IncomingMessage: Incoming,
    // The gate refuses requests without a host.
    requireHostHeader: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.ceil(headersTimeoutMs / 4),
  });
  node.maxHeadersCount = MAX_HEADERS;
  const clients = watchClients(node, { slowReaderMs, requestTimeoutMs, headersTimeoutMs });
  const handle = inTurn((request, response) => {
    clients.watch(request, response);
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    toOriginForm(request);
    requests.begin(request);
    router.handle(request, response);
  });
  node.on('request', handle);
  node.on('checkContinue', (request: Incoming, response: ServerResponse) => {
    continueWhenRead(request, response);
    handle(request, response);
  });
  // Other expectations may be ignored (RFC 9110, 10.1.1).
  node.on('checkExpectation', handle);
  node.on('clientError', createRefuseBroken(requestTimeoutMs));
  node.on('connect', refuseConnect);

  return {
    node,
    router,
    nextId,
    requests,
    async listen(at) {
      node.listen(at);
      await once(node, 'listening');
    },
    close() {
      router.close();
      clients.close();
      return new Promise((resolve) => {
        // The error of a server that does not listen is no failure to close it.
        node.close(() => {
          resolve();
        });
      });
    },
  };
}

/** Stops browsers from guessing types, from showing answers in frames, and from telling their URLs to others. */
const SECURITY_HEADERS = Object.entries({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
});

function createRequestIds({ requestIdOf }: Forwarded): HttpServer['nextId'] {
  let count = 0;
  return (request) => (request && requestIdOf(request)) ?? `req-${(count += 1).toString(36)}`;
}

/**
 * Sends 100 Continue when a route begins to read the body. A request that is refused earlier gets its response alone, and its
 * connection closes, because nobody knows whether the body still comes.
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

/** An absolute URL in the request line, as for a proxy, replaces Host (RFC 9112, 3.2.2). */
function toOriginForm(request: IncomingMessage): void {
  const { headers, url = '' } = request;
  // Trying to parse no URL took a tenth of the time of a query.
  if (url.startsWith('/')) return;
  const [, site = '', path = ''] = /^([a-z][a-z\d+.-]*:\/\/[^/\\?#]*)(.*)$/i.exec(url) ?? [];
  const named = parseUrl(site);
  if (!named) return;
  headers.host = named.host;
  request.url = path.startsWith('/') ? path : `/${path}`;
}

/**
 * Answers bytes that did not become a request, and closes their connection. Logs nothing: the error contains those bytes, with
 * any secrets among them.
 */
function createRefuseBroken(requestTimeoutMs: number) {
  const hint = `Send it whole within ${requestTimeoutMs / 1000} s.`;
  const byCode: Readonly<Record<string, Refusal>> = {
    ERR_HTTP_REQUEST_TIMEOUT: refusal(408, 'The request did not arrive in time.', hint),
    HPE_HEADER_OVERFLOW: TOO_LONG,
  };
  return ({ code = '' }: NodeJS.ErrnoException, socket: Duplex): void => {
    // In the middle of another response it would be read as a part of that.
    const { _httpMessage: current } = socket as { _httpMessage?: ServerResponse | null };
    if (code !== 'ECONNRESET' && socket.writable && !current?.headersSent)
      socket.write(rawRefusal(byCode[code] ?? MALFORMED));
    socket.destroy();
  };
}

function refuseConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  socket.end(rawRefusal(NO_PROXY));
}

const NO_PROXY = refusal(405, 'The gateway is not a proxy.', 'The API is at /graphql.');

const MALFORMED = refusal(
  400,
  'This is not an HTTP request.',
  'Send HTTP/1.1, with one Host and one length.',
);

const TOO_LONG = refusal(
  431,
  'The URL and the headers are too long.',
  `Send at most ${maxHeaderSize / 1024} KiB of them; put a long operation into the body of a POST.`,
);
