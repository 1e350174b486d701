import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BaseLogger } from 'pino';
import { refusal, retryLater, type Refusal } from '../limits/refusal.ts';
import { headersRefusal, type Gate } from './gate.ts';
import { optionsHeaders, type AllowOrigin } from './origins.ts';
import { sendGraphqlRefusal, sendRefusal } from './problem.ts';
import { REQUEST_ID_HEADER, type RequestLog } from './request-log.ts';

/** Answers a request; `reqId` names it in the log. A rejection is answered with 500. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  reqId: string,
) => Promise<void> | void;

export interface Route {
  /** Its path, unless there is `matches`; also its name in the log. */
  readonly name: string;
  /** Whether it answers requests for a path, which is without the query. Called before any part of the body is read. */
  readonly matches?: (path: string, request: IncomingMessage) => boolean;
  /** Other methods get 405, and OPTIONS the list of methods. Without it, the route answers all methods itself. */
  readonly methods?: readonly string[];
  readonly handle: Handler;
  /** The route logs each request that it answers. */
  readonly writesLine?: true;
  /** The route checks its requests itself, so the gate does not. */
  readonly skipsGate?: true;
}

export const READ_METHODS = ['GET', 'HEAD'];

/** Path of a request, without its query. */
export function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** Sends each request to its route, with one line in the log. */
export interface Router {
  /** The first route that matches a request answers it. */
  add(...routes: readonly Route[]): void;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** From now on refuses all requests, because the server closes. */
  close(): void;
}

export function createRouter(options: {
  readonly log: Pick<BaseLogger, 'error'>;
  readonly requests: RequestLog;
  readonly nextId: (request: IncomingMessage) => string;
  readonly gate: Pick<Gate, 'refusalOf'>;
  readonly allowOrigin: AllowOrigin;
}): Router {
  const { allowOrigin, gate, log, nextId, requests } = options;
  const routes: Route[] = [];
  let isClosed = false;

  function answer(route: Route, request: IncomingMessage, response: ServerResponse): void {
    const start = performance.now();
    const reqId = nextId(request);
    response.setHeader(REQUEST_ID_HEADER, reqId);
    const writeLine = (): void => {
      const ms = Math.round(performance.now() - start);
      requests.write(request, { reqId, route: route.name, status: response.statusCode, ms });
    };
    if (!route.writesLine) whenClosed(response, writeLine);
    run(route.handle, request, response, reqId).catch((error: unknown) => {
      if (route.writesLine) whenClosed(response, writeLine);
      // The client left in the middle of its request.
      if (request.destroyed && !request.complete) return;
      log.error({ reqId, err: error }, 'a request failed unexpectedly');
      if (response.headersSent) response.destroy();
      else sendRefusal(response, UNEXPECTED);
    });
  }

  return {
    add: (...added) => routes.push(...added),
    handle(request, response) {
      allowOrigin(request, response);
      const path = pathOf(request);
      const isValid = isEncoded(path);
      const route = isValid
        ? routes.find(({ matches, name }) => (matches ? matches(path, request) : path === name))
        : undefined;
      const refused =
        (isClosed ? CLOSING : null) ??
        headersRefusal(request) ??
        (route?.skipsGate ? null : gate.refusalOf(request, response)) ??
        (isValid ? null : MALFORMED_URL);
      const chosen = refused || !route ? refusing(refused ?? NOTHING_HERE) : forMethod(route, request);
      answer(chosen, request, response);
    },
    close() {
      isClosed = true;
    },
  };
}

async function run(handle: Handler, ...request: Parameters<Handler>): Promise<void> {
  await handle(...request);
}

function forMethod(route: Route, { method = '' }: IncomingMessage): Route {
  const { methods } = route;
  if (!methods || methods.includes(method)) return route;
  const allow = methods.join(', ');
  if (method !== 'OPTIONS')
    return refusing(
      refusal(405, 'This URL takes another method.', `Send ${allow}.`, { headers: { Allow: allow } }),
    );
  return {
    name: 'none',
    handle: (request, response) => {
      response.writeHead(204, optionsHeaders(request, response, allow)).end();
    },
  };
}

function refusing(refused: Refusal): Route {
  return {
    name: 'none',
    handle(request, response) {
      if (!/^\/graphql(?:\/|$)/i.test(pathOf(request))) sendRefusal(response, refused);
      else sendGraphqlRefusal(request.headers.accept ?? '', response, refused);
    },
  };
}

function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

const CLOSING: Refusal = {
  ...retryLater(503, 'The gateway is stopping.', 5, 'Send the request again in 5 s.'),
  headers: { Connection: 'close' },
};

const NOTHING_HERE = refusal(
  404,
  'There is nothing here.',
  'The API is at /graphql, for sockets and event streams as well.',
);

const MALFORMED_URL = refusal(400, 'The URL is malformed.', 'Write the URL with valid percent-encoding.');

const UNEXPECTED = refusal(
  500,
  'The gateway failed unexpectedly.',
  'Report the failure; the log of the gateway has details.',
);

/** Calls `run` when the response is sent or its connection is closed; at once if that has happened. */
export function whenClosed(response: ServerResponse, run: () => void): void {
  if (response.closed) run();
  else response.once('close', run);
}
