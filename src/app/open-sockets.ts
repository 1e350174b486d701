import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Authenticate } from '../auth/principal.ts';
import type { Config } from '../config/config.ts';
import { createAdmitOperation, createPutOff } from '../websocket/operations.ts';
import type { LiveCounts } from '../websocket/socket.ts';
import { createProtocol } from '../websocket/protocol.ts';
import type { Tally } from '../limits/concurrency.ts';
import { createWebsocketServer, type WebsocketServer } from '../websocket/server.ts';
import { createWelcome } from '../websocket/on-connect.ts';
import type { Forwarded } from '../http/forwarded.ts';
import { GRAPHQL_PATH } from '../engine/yoga.ts';
import { acceptPersistedQueries } from '../engine/request-params.ts';
import type { HostPolicy } from '../http/gate.ts';
import type { OriginPolicy } from '../http/origins.ts';
import type { Overload } from '../limits/overload.ts';
import type { RateLimit } from '../limits/rate.ts';
import type { Executors } from './open-graphql.ts';

export interface SocketsOptions extends Omit<Executors, 'answer'> {
  readonly http: FastifyInstance;
  readonly authenticate: Authenticate;
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
  readonly mayCall: OriginPolicy;
  readonly requestsPerOwner: RateLimit;
  readonly perOwner: Tally;
  readonly perAddress: Tally;
  readonly counts: LiveCounts;
  readonly overload: Overload;
  readonly nextId: () => string;
  readonly lines: Logger;
}

/** The WebSocket door of an HTTP server. */
export function openSockets(config: Config, options: SocketsOptions): WebsocketServer {
  const { forwarded, graphql, http, hub, isOurHost, mayCall, perAddress, perOwner, requestsPerOwner } =
    options;
  const { authenticate, counts, lines: log, nextId, overload } = options;
  const { engine } = graphql;
  return createWebsocketServer({
    http: http.server,
    path: GRAPHQL_PATH,
    protocol: acceptPersistedQueries(
      createProtocol({
        begin: (caller, reqId) => engine.getEnveloped({ principal: caller, connection: null, reqId }),
        hub,
        welcome: createWelcome({ authenticate, perOwner, log }),
        admit: createAdmitOperation({
          maxSubscriptions: config.maxSubscriptionsPerSocket,
          maxHeldBytes: config.maxBodyBytes,
          requestsPerOwner,
        }),
        putOff: createPutOff(overload),
      }),
    ),
    mayConnect: (request) => {
      return (
        isOurHost(forwarded.hostOf(request)) && mayCall(request.headers.origin, forwarded.siteOf(request))
      );
    },
    addressOf: (request) => forwarded.addressOf(request),
    isOverloaded: () => overload.refusal() !== null,
    maxMessageBytes: config.maxBodyBytes,
    maxOperationsPerSecond: config.maxOperationsPerSecond,
    perAddress,
    slowReaderMs: config.slowReaderMs,
    counts,
    nextId,
    log,
  });
}
