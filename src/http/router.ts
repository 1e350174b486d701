import type { FastifyBaseLogger } from 'fastify';
import type { IncomingMessage, ServerResponse, RequestListener } from 'node:http';
import { problem, sendProblem } from './problem.ts';
import type { AllowOrigin } from './origins.ts';
import type { Gate, Refused } from './gate.ts';
import { isGraphqlUrl } from '../engine/yoga.ts';
import { ofProblem, sendGraphqlRefusal } from './graphql-refusal.ts';
import { REQUEST_ID_FIELD, type RequestLog } from './request-log.ts';
import type { Socket } from 'node:net';

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
  /** It looks itself at what it is sent, by whatever name that calls us: the gate lets everything through to it. */
  readonly isBeforeGate?: true;
}

/**
 * The way past Fastify for the few kinds of requests that come by the thousand: its routing, hooks and replies take
 * longer than what these need of them. They get the same line in the log.
 */
export interface DirectRoutes {
  add(route: DirectRoute): void;
  /** Answers a request if it fits one of the routes, or if no route may answer it; returns whether it does. */
  take(request: IncomingMessage, response: ServerResponse): boolean;
  /** From now on refuses everything: the server closes. */
  close(): void;
}

export function createDirectRoutes(options: {
  readonly log: FastifyBaseLogger;
  readonly requests: RequestLog;
  readonly nextId: (request: IncomingMessage) => string;
  readonly gate: Pick<Gate, 'refusalOf'>;
  readonly allowOrigin: AllowOrigin;
}): DirectRoutes {
  const { allowOrigin, gate, log, nextId, requests } = options;
  const routes: DirectRoute[] = [];
  let isClosed = false;

  function answer(route: DirectRoute, request: IncomingMessage, response: ServerResponse): void {
    const start = performance.now();
    const reqId = nextId(request);
    response.setHeader(REQUEST_ID_FIELD, reqId);
    const writeLine = (): void => {
      const ms = Math.round(performance.now() - start);
      requests.write(request, { reqId, route: route.name, status: response.statusCode, ms });
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
      const route = routes.find(({ fits }) => fits(request));
      const refused =
        (isClosed ? CLOSING : null) ?? (route?.isBeforeGate ? null : gate.refusalOf(request, response));
      if (refused) {
        allowOrigin(request, response);
        answer(refusing(refused), request, response);
      } else if (route) answer(route, request, response);
      return refused !== null || route !== undefined;
    },
    close() {
      isClosed = true;
    },
  };
}

const CLOSING: Refused = {
  problem: problem(503, 'The gateway is stopping.', { hint: 'Send the request again in 5 s.' }),
  headers: { 'retry-after': '5', connection: 'close' },
};

function refusing({ headers, problem: refusal }: Refused): DirectRoute {
  return {
    name: 'none',
    fits: () => true,
    handle(request, response) {
      if (isGraphqlUrl(request.url ?? '')) sendGraphqlRefusal(request, response, ofProblem(refusal, headers));
      else sendProblem(response, refusal, headers);
      return Promise.resolve();
    },
  };
}

/** How many requests of one connection may wait for their turn, and how many of all connections together. */
const MAX_WAITING = 128;
const MAX_WAITING_OF_ALL = 8192;

/**
 * Has each request of a connection taken when the answer to the one before is out. Node.js hands over all requests that
 * arrived in one read, and holds back their answers as long as nobody reads the first. A connection on which too many wait is
 * cut: its client has to expect that (RFC 9112, 9.3.2).
 */
export function inTurn(take: RequestListener): RequestListener {
  const waitingOn = new WeakMap<Socket, number>();
  let waitingOfAll = 0;

  function count(socket: Socket, change: 1 | -1): number {
    const waiting = (waitingOn.get(socket) ?? 0) + change;
    waitingOn.set(socket, waiting);
    waitingOfAll += change;
    return waiting;
  }

  return (request, response) => {
    const { socket } = request;
    // Node.js gives an answer the connection when its turn has come.
    if (response.socket !== null) {
      take(request, response);
      return;
    }
    if (socket.destroyed) return;
    const waiting = count(socket, 1);
    const leave = (): void => {
      count(socket, -1);
    };
    request.once('close', leave);
    if (waiting > MAX_WAITING || waitingOfAll > MAX_WAITING_OF_ALL) {
      socket.destroy();
      return;
    }
    socket.pause();
    response.once('socket', () => {
      request.off('close', leave);
      if (count(socket, -1) === 0) socket.resume();
      take(request, response);
    });
  };
}

/** Calls `run` once the answer is out, or can no longer go out; at once when that is so already. */
export function whenClosed(response: ServerResponse, run: () => void): void {
  if (response.closed) run();
  else response.once('close', run);
}
