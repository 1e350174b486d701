import type { FastifyBaseLogger } from 'fastify';
import type { IncomingMessage, ServerResponse, RequestListener } from 'node:http';
import { problem, sendProblem } from './problem.ts';
import type { AllowOrigin } from './origins.ts';
import { NO_HOST, namesManyHosts, type Gate, type Refused } from './gate.ts';
import { cut } from './incoming.ts';
import { isGraphqlUrl } from '../engine/yoga.ts';
import { ofProblem, sendGraphqlRefusal } from './graphql-refusal.ts';
import { REQUEST_ID_FIELD, type RequestLog } from './request-log.ts';
import type { Socket } from 'node:net';
import { createBeginInTurns } from '../limits/turns.ts';

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
        (isClosed ? CLOSING : null) ??
        (namesManyHosts(request) ? NO_HOST : null) ??
        (route?.isBeforeGate ? null : gate.refusalOf(request, response));
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

/** The requests of one connection. */
interface Line {
  /** How many wait. */
  waiting: number;
  /** How many bytes had been read when the last one was taken at once. */
  takenAt: number;
}

/**
 * Has each request of a connection taken when the answer to the one before is out, and those that arrived in one read in
 * slices. Node.js hands over all requests that arrived in one read, and holds back their answers as long as nobody reads the
 * first. A connection on which too many wait is cut: its client has to expect that (RFC 9112, 9.3.2).
 */
export function inTurn(take: RequestListener): RequestListener {
  const lines = new WeakMap<Socket, Line>();
  const inSlices = createBeginInTurns();
  let waitingOfAll = 0;

  return (request, response) => {
    const { socket } = request;
    const line = lines.get(socket) ?? { waiting: 0, takenAt: -1 };
    lines.set(socket, line);
    // Node.js gives an answer the connection when its turn has come.
    const isNext = response.socket !== null;
    if (isNext && socket.bytesRead !== line.takenAt) {
      line.takenAt = socket.bytesRead;
      take(request, response);
      return;
    }
    if (socket.destroyed) return;
    const count = (change: 1 | -1): void => {
      line.waiting += change;
      waitingOfAll += change;
    };
    const leave = (): void => {
      count(-1);
    };
    const begin = (): Promise<void> => {
      // When it was cut meanwhile, `close` counts it.
      if (!socket.destroyed) {
        request.off('close', leave);
        count(-1);
        take(request, response);
      }
      return Promise.resolve();
    };
    const beginInTurn = (): void => {
      void inSlices(socket.remoteAddress ?? '', begin);
    };
    count(1);
    request.once('close', leave);
    if (line.waiting > MAX_WAITING || waitingOfAll > MAX_WAITING_OF_ALL) cut(socket);
    else if (isNext) beginInTurn();
    else response.once('socket', beginInTurn);
  };
}

/** Calls `run` once the answer is out, or can no longer go out; at once when that is so already. */
export function whenClosed(response: ServerResponse, run: () => void): void {
  if (response.closed) run();
  else response.once('close', run);
}
