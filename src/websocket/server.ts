import { handleProtocols } from 'graphql-ws';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER, type LiveCounts } from './socket.ts';
import { connectSocket, type SocketOptions } from './connection.ts';
import { SendBuffer } from './send-buffer.ts';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import { startHeartbeat } from './heartbeat.ts';
import { problem, rawAnswer } from '../http/problem.ts';
import { once } from 'node:events';

interface WebsocketServerOptions extends SocketOptions {
  readonly http: Server;
  readonly path: string;
  /** Whether the web page that asks may connect, and by the name that it asks for. */
  readonly mayConnect: (request: IncomingMessage) => boolean;
  /** Whether a request cannot be for us, since it names several hosts. */
  readonly namesManyHosts: (request: IncomingMessage) => boolean;
  /** Whether new sockets are sent away, to come back later. */
  readonly isOverloaded: () => boolean;
  readonly maxMessageBytes: number;
  /** Open sockets and streams of each address. */
  readonly perAddress: ConcurrencyLimit;
  /** How long a client may take nothing of what waits for it, in ms. */
  readonly slowReaderMs: number;
  readonly counts: LiveCounts;
}

export interface WebsocketServer {
  /** How many sockets are open. */
  size(): number;
  /** Closes the open sockets with 1012, upon which clients come back and subscribe anew. Takes new ones meanwhile. */
  restart(): Promise<void>;
  /**
   * Takes no new sockets, lets queries and mutations be answered, and closes the open sockets with 1001, upon which
   * clients come back.
   */
  close(): Promise<void>;
}

/** How long a close waits for answers, in ms. */
const ANSWER_MS = 2000;
/** How long a client may take to answer a close frame, in ms. What it sends meanwhile is still parsed. */
const CLOSE_TIMEOUT_MS = 5000;
/** Fragments of a message, and reads from the connection that wait for the end of a frame, cost an object each. */
const BYTES_PER_FRAGMENT = 1024;
const BYTES_PER_READ = 256;

/** The WebSocket door: graphql-ws speaks the protocol, this connects it to the sockets of ws. */
export function createWebsocketServer(options: WebsocketServerOptions): WebsocketServer {
  const { addressOf, counts, http, isOverloaded, log, mayConnect, path, perAddress, protocol, slowReaderMs } =
    options;
  const sockets = new WebSocketServer(serverOptions(options.maxMessageBytes));
  sockets.on('wsClientError', (_error, stream, { headers, method }) => {
    if (method !== 'GET') refuseUpgrade(stream, 405);
    else refuseUpgrade(stream, headers['sec-websocket-version'] === '13' ? 400 : 426);
  });
  const outlets = new WeakMap<WebSocket, SendBuffer>();
  const takenBy = (socket: WebSocket): number => outlets.get(socket)?.taken ?? 0;
  const stopWatchdog = startHeartbeat(sockets.clients, slowReaderMs, takenBy, counts);

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const [requested] = (request.url ?? '').split('?');
    const address = addressOf(request);
    if (requested !== path && requested !== `${path}/`) {
      refuseUpgrade(stream, 404);
    } else if (options.namesManyHosts(request)) {
      refuseUpgrade(stream, 400);
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
        const outlet = new SendBuffer(socket, stream);
        outlets.set(socket, outlet);
        connectSocket(options, socket, stream, request, outlet);
      });
    }
  };
  http.on('upgrade', onUpgrade);

  return {
    size: () => sockets.clients.size,
    restart: () => closeInSlices(sockets.clients, SERVICE_RESTART, 'Subscribe again'),
    async close() {
      http.off('upgrade', onUpgrade);
      await Promise.race([protocol.answered(), delay(ANSWER_MS, undefined, { ref: false })]);
      await closeInSlices(sockets.clients, GOING_AWAY, 'Going away');
      stopWatchdog();
      sockets.close();
    },
  };
}

/** @types/ws 8.18 lacks `closeTimeout`: https://github.com/websockets/ws/blob/8.23.0/doc/ws.md */
function serverOptions(maxPayload: number): ServerOptions & { readonly closeTimeout: number } {
  return {
    noServer: true,
    maxPayload,
    maxFragments: Math.ceil(maxPayload / BYTES_PER_FRAGMENT),
    maxBufferedChunks: Math.ceil(maxPayload / BYTES_PER_READ),
    closeTimeout: CLOSE_TIMEOUT_MS,
    // Compression costs memory for every socket and makes shared messages impossible.
    perMessageDeflate: false,
    handleProtocols,
  };
}

/** In a function of its own: a closure of the caller's would keep the request of the upgrade as long as the socket. */
function discount(stream: Duplex, perAddress: ConcurrencyLimit, address: string): void {
  stream.on('close', () => {
    perAddress.remove(address);
  });
}

/** By a code after which clients come back; an answer to the upgrade would not tell a browser's why. */
function sendAway(socket: WebSocket): void {
  socket.on('error', () => undefined);
  socket.close(TRY_AGAIN_LATER, 'Overloaded');
}

/** When to come back, in seconds: sockets end when their clients leave, so nobody knows. */
const RETRY_AFTER_S = 5;

const REFUSALS = {
  400: problem(400, 'This is no valid WebSocket handshake.', {
    hint: 'Send one Host, a Sec-WebSocket-Key of 16 bytes in Base64, and the subprotocol graphql-transport-ws.',
  }),
  403: problem(403, 'This web page may not connect.', { hint: 'Name its origin in ALLOWED_ORIGINS.' }),
  404: problem(404, 'There is no socket here.', { hint: 'The API is at /graphql.' }),
  405: problem(405, 'A WebSocket handshake has another method.', { hint: 'Send GET.' }),
  426: problem(426, 'This version of the WebSocket protocol is not supported.', {
    hint: 'Send Sec-WebSocket-Version: 13.',
  }),
  429: problem(429, 'Too many sockets and streams of this address are open.', {
    hint: `Close some first, or try again in ${RETRY_AFTER_S} s.`,
  }),
};

const HEADERS: Readonly<Partial<Record<keyof typeof REFUSALS, Readonly<Record<string, string>>>>> = {
  405: { Allow: 'GET' },
  426: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
  429: { 'Retry-After': String(RETRY_AFTER_S) },
};

/** Answers a request for a socket with no; browsers show their pages nothing of it, other clients can read why. */
function refuseUpgrade(stream: Duplex, status: keyof typeof REFUSALS): void {
  stream.on('error', () => undefined);
  stream.end(rawAnswer(REFUSALS[status], HEADERS[status]));
}

/** Thousands of clients that are sent away in one instant come back in one. */
const SLICE = 100;
/** How long clients have to answer the close, in ms. */
const PATIENCE_MS = 2000;

/** Closes sockets a slice at a time; those that do not answer the close are cut. Fulfilled when all are gone. */
async function closeInSlices(sockets: ReadonlySet<WebSocket>, code: number, reason: string): Promise<void> {
  const open = [...sockets];
  for (let start = 0; start < open.length; start += SLICE) {
    for (const socket of open.slice(start, start + SLICE)) socket.close(code, reason);
    await setImmediate();
  }
  const timer = setTimeout(() => {
    for (const socket of open) socket.terminate();
  }, PATIENCE_MS);
  await Promise.all(open.map(closed));
  clearTimeout(timer);
}

async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState !== socket.CLOSED) await once(socket, 'close');
}
