import type { FastifyBaseLogger } from 'fastify';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, handleProtocols } from 'graphql-ws';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER } from './close-codes.ts';
import { closeInSlices } from './close-in-slices.ts';
import { closeWhenFlooded } from './close-when-flooded.ts';
import { Outlet } from './outlet.ts';
import type { LiveCounts } from './live-counts.ts';
import type { Protocol } from './protocol.ts';
import { createRate } from './rate.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import type { Tally } from './tally.ts';
import type { SocketExtra } from './socket-extra.ts';
import { startWatchdog } from './watchdog.ts';

export interface WebsocketServerOptions {
  readonly http: Server;
  readonly path: string;
  /** The graphql-transport-ws protocol; it knows no sockets. */
  readonly protocol: Protocol;
  /** Whether the web page that asks may connect, and by the name that it asks for. */
  readonly mayConnect: (request: IncomingMessage) => boolean;
  /** Where a request comes from, proxies that are trusted left aside. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Whether new sockets are sent away, to come back later. */
  readonly isOverloaded: () => boolean;
  readonly maxMessageBytes: number;
  /** How many operations one socket may begin in a second. */
  readonly maxOperationsPerSecond: number;
  /** Open sockets and streams of each address. */
  readonly perAddress: Tally;
  /** How long a client may take nothing of what waits for it, in ms. */
  readonly slowReaderMs: number;
  readonly counts: LiveCounts;
  /** Names for the requests that open sockets, for the log. */
  readonly nextId: () => string;
  readonly log: FastifyBaseLogger;
}

export interface WebsocketServer {
  /** How many sockets are open. */
  size(): number;
  /** Closes the sockets that are open now with 1012, upon which clients come back and subscribe anew. */
  closeAll(): Promise<void>;
  /**
   * Takes no new sockets, lets queries and mutations be answered, and closes the open sockets with 1001, upon which
   * clients come back.
   */
  close(): Promise<void>;
}

/** How graphql-ws begins to say that a client sent what only servers send. */
const NOT_FOR_SERVERS = 'Unexpected message of type ';
/** How long a close waits for answers, in ms. */
const ANSWER_MS = 2000;

/** The WebSocket door: graphql-ws speaks the protocol, this connects it to the sockets of ws. */
export function createWebsocketServer(options: WebsocketServerOptions): WebsocketServer {
  const { addressOf, counts, http, isOverloaded, log, mayConnect, path, perAddress, protocol, slowReaderMs } =
    options;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxMessageBytes,
    // Compression costs memory for every socket and makes shared messages impossible.
    perMessageDeflate: false,
    handleProtocols,
  });
  const outlets = new WeakMap<WebSocket, Outlet>();
  const takenBy = (socket: WebSocket): number => outlets.get(socket)?.taken ?? 0;
  const stopWatchdog = startWatchdog(sockets.clients, slowReaderMs, takenBy, counts);

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const [requested] = (request.url ?? '').split('?');
    const address = addressOf(request);
    if (requested !== path) {
      refuseUpgrade(stream, 404);
    } else if (!mayConnect(request)) {
      log.warn({ origin: request.headers.origin }, 'a WebSocket of a foreign origin was refused');
      refuseUpgrade(stream, 403);
    } else if (!perAddress.add(address)) {
      refuseUpgrade(stream, 429);
    } else {
      discount(stream, perAddress, address);
      sockets.handleUpgrade(request, stream, head, (socket) => {
        if (isOverloaded()) {
          sendAway(socket);
          return;
        }
        const outlet = new Outlet(socket, stream);
        outlets.set(socket, outlet);
        connect(options, socket, request, outlet);
      });
    }
  };
  http.on('upgrade', onUpgrade);

  return {
    size: () => sockets.clients.size,
    closeAll: () => closeInSlices(sockets.clients, SERVICE_RESTART, 'Subscribe again'),
    async close() {
      http.off('upgrade', onUpgrade);
      await Promise.race([protocol.answered(), delay(ANSWER_MS, undefined, { ref: false })]);
      await closeInSlices(sockets.clients, GOING_AWAY, 'Going away');
      stopWatchdog();
      sockets.close();
    },
  };
}

/** In a function of its own: a closure of the caller's would keep the request of the upgrade as long as the socket. */
function discount(stream: Duplex, perAddress: Tally, address: string): void {
  stream.on('close', () => {
    perAddress.remove(address);
  });
}

/** By a code after which clients come back; an answer to the upgrade would not tell a browser's why. */
function sendAway(socket: WebSocket): void {
  socket.on('error', () => undefined);
  socket.close(TRY_AGAIN_LATER, 'Overloaded');
}

/** Joins one socket to the protocol. A promise of `send` is kept when the bytes are out, which slows its source down. */
function connect(
  options: WebsocketServerOptions,
  socket: WebSocket,
  request: IncomingMessage,
  outlet: Outlet,
): void {
  const { log, maxOperationsPerSecond, protocol } = options;
  const openedAt = performance.now();
  const extra = extraOf(options, socket, request, outlet);
  const count = closeWhenFlooded(socket, maxOperationsPerSecond);
  socket.on('ping', count);
  const opened = protocol.opened(
    {
      // Clients that name no subprotocol are taken to mean this one; those that name another mean another.
      protocol:
        socket.protocol || (request.headers['sec-websocket-protocol'] ?? GRAPHQL_TRANSPORT_WS_PROTOCOL),
      send: (data) =>
        new Promise((resolve) => {
          outlet.send(data, resolve);
        }),
      close: (code, reason) => {
        socket.close(code, reason);
      },
      onMessage: (receive) => {
        socket.on('message', (data: Buffer) => {
          count();
          // A client that does not answer the close could go on for half a minute.
          if (socket.readyState !== socket.OPEN) return;
          receive(data.toString()).catch((error: unknown) => {
            if (error instanceof Error && error.message.startsWith(NOT_FOR_SERVERS)) {
              socket.close(CloseCode.BadRequest, 'Invalid message received');
              return;
            }
            log.error({ err: error }, 'a socket message was not handled; the socket is closed');
            socket.close(CloseCode.InternalServerError, 'Internal server error');
          });
        });
      },
    },
    extra,
  );
  // It comes once; what `once` keeps for each listener is larger than the listener.
  socket.on('close', (code, reason) => {
    void opened(code, reason.toString());
    const { caller, operations, reqId } = extra;
    const ms = Math.round(performance.now() - openedAt);
    log.info({ reqId, owner: caller?.owner ?? null, code, ms, operations }, 'socket closed');
  });
  socket.on('error', (error) => {
    log.debug({ err: error }, 'a socket broke');
  });
}

function extraOf(
  { addressOf, maxOperationsPerSecond, nextId }: WebsocketServerOptions,
  socket: WebSocket,
  request: IncomingMessage,
  outlet: Outlet,
): SocketExtra {
  return {
    reqId: nextId(),
    // Not the request itself, which would be kept as long as the socket.
    authorization: request.headers.authorization,
    address: addressOf(request),
    caller: null,
    operations: 0,
    outlet,
    close: (code, reason) => {
      socket.close(code, reason);
    },
    onClosed: (run) => {
      if (socket.readyState === socket.CLOSED) run();
      else socket.on('close', run);
    },
    takeOperation: createRate(maxOperationsPerSecond),
  };
}
