import type { FastifyBaseLogger } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem, sendProblem } from '../problem.ts';
import { SECURITY_FIELDS } from './security-headers.ts';
import { whenClosed } from './when-closed.ts';

/** Answers a request; `reqId` names it in the log. A rejection is answered with 500. */
export type DirectHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  reqId: string,
) => Promise<void>;

export interface DirectRoute {
  /** How the log calls it. */
  readonly name: string;
  /** Whether a request is for it. Asked of each request, before anything of it is read. */
  readonly fits: (request: IncomingMessage) => boolean;
  readonly handle: DirectHandler;
  /** It writes the line of each request that it answers itself. */
  readonly writesLine?: true;
}

/**
 * The way past Fastify for the few kinds of requests that come by the thousand: its routing, hooks and replies take
 * longer than what these need of them. They get the same headers and the same line in the log.
 */
export interface DirectRoutes {
  add(route: DirectRoute): void;
  /** Answers a request if it fits one of the routes; returns whether it does. */
  take(request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on takes nothing: Fastify knows what to say while the server closes. */
  close(): void;
}

export function createDirectRoutes(options: {
  readonly log: FastifyBaseLogger;
  /** The log of requests. */
  readonly requests: FastifyBaseLogger;
  readonly nextId: () => string;
}): DirectRoutes {
  const { log, nextId, requests } = options;
  const routes: DirectRoute[] = [];
  let isClosed = false;

  function answer(route: DirectRoute, request: IncomingMessage, response: ServerResponse): void {
    const start = performance.now();
    const reqId = nextId();
    for (const [field, value] of SECURITY_FIELDS) response.setHeader(field, value);
    const writeLine = (): void => {
      const ms = Math.round(performance.now() - start);
      const { method } = request;
      requests.info({ reqId, method, route: route.name, status: response.statusCode, ms }, 'request');
    };
    if (!route.writesLine) whenClosed(response, writeLine);
    route.handle(request, response, reqId).catch((error: unknown) => {
      if (route.writesLine) whenClosed(response, writeLine);
      // Whoever sent half a request and left is told nothing, and nobody has to look into it.
      if (request.destroyed && !request.complete) return;
      log.error({ reqId, err: error }, 'a request failed unexpectedly');
      if (response.headersSent) response.destroy();
      else sendProblem(response, problem(500, 'Something unexpected went wrong here.'));
    });
  }

  return {
    add: (route) => routes.push(route),
    take(request, response) {
      const route = isClosed ? undefined : routes.find(({ fits }) => fits(request));
      if (route) answer(route, request, response);
      return route !== undefined;
    },
    close() {
      isClosed = true;
    },
  };
}
