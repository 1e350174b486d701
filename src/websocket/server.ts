import { handleProtocols } from 'graphql-ws';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER, type LiveCounts } from './socket.ts';
import { connectSocket, type SocketOptions } from './connection.ts';
import { SendBuffer } from './send-buffer.ts';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import { rawRefusal } from '../http/problem.ts';
import { refusal, retryLater } from '../limits/refusal.ts';
import { once } from 'node:events';

interface WebsocketServerOptions extends SocketOptions {
  readonly http: Server;
  readonly path: string;
  /** Whether the origin and host of an upgrade are allowed. */
  readonly mayConnect: (request: IncomingMessage) => boolean;
  /** Whether the headers of an upgrade can be relied on. */
  readonly hasValidHeaders: (request: IncomingMessage) => boolean;
  /** Whether new sockets are closed, to reconnect later. */
  readonly isOverloaded: () => boolean;
  readonly maxMessageBytes: number;
  /** Open sockets and streams of each address. */
  readonly perAddress: ConcurrencyLimit;
  /** How long a client may read nothing while messages wait for it, in ms. */
  readonly slowReaderMs: number;
  readonly counts: LiveCounts;
}

export interface WebsocketServer {
  /** Number of open sockets. */
  size(): number;
  /** Closes the open sockets with 1012, so that clients reconnect and subscribe again. Accepts new ones meanwhile. */
  restart(): Promise<void>;
  /**
   * Accepts no new sockets, waits for queries and mutations, and closes the open sockets with 1001, so that clients
   * reconnect.
   */
  close(): Promise<void>;
}

/** How long a close waits for running operations, in ms. */
const ANSWER_MS = 2000;
/** How long a client may take to answer a close frame, in ms. What it sends meanwhile is still parsed. */
const CLOSE_TIMEOUT_MS = 5000;
/** Each fragment of a message, and each read that waits for the end of a frame, costs an object. */
const BYTES_PER_FRAGMENT = 1024;
const BYTES_PER_READ = 256;

/** The WebSocket transport: connects the protocol of graphql-ws to the sockets of ws. */
export function createWebsocketServer(options: WebsocketServerOptions): WebsocketServer {
  const { addressOf, counts, http, isOverloaded, log, mayConnect, path, perAddress, protocol, slowReaderMs } =
    options;
  const sockets = new WebSocketServer(serverOptions(options.maxMessageBytes));
  sockets.on('wsClientError', (_error, stream, { headers, method }) => {
    if (method !== 'GET') refuseUpgrade(stream, 405);
    else refuseUpgrade(stream, headers['sec-websocket-version'] === '13' ? 400 : 426);
  });
  const sendBuffers = new WeakMap<WebSocket, SendBuffer>();
  const takenBy = (socket: WebSocket): number => sendBuffers.get(socket)?.taken ?? 0;
  const stopHeartbeat = startHeartbeat(sockets.clients, slowReaderMs, takenBy, counts);

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const [requested] = (request.url ?? '').split('?');
    const address = addressOf(request);
    if (requested !== path && requested !== `${path}/`) {
      refuseUpgrade(stream, 404);
    } else if (!options.hasValidHeaders(request)) {
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
        const sendBuffer = new SendBuffer(socket, stream);
        sendBuffers.set(socket, sendBuffer);
        connectSocket(options, socket, stream, request, sendBuffer);
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
      stopHeartbeat();
      sockets.close();
    },
  };
}

/** @types/ws 8.18 lacks `closeTimeout`: https://github.com/websockets/ws/blob/8.23.0/doc/ws.md */
function serverOptions(maxPayload: number): ServerOptions & { readonly closeTimeout: number } {
  return {
    noServer: true,
    maxPayload,
    // One message of each socket per turn of the event loop: one read may contain thousands.
    allowSynchronousEvents: false,
    maxFragments: Math.ceil(maxPayload / BYTES_PER_FRAGMENT),
    maxBufferedChunks: Math.ceil(maxPayload / BYTES_PER_READ),
    closeTimeout: CLOSE_TIMEOUT_MS,
    // Compression costs memory for every socket and rules out shared messages.
    perMessageDeflate: false,
    handleProtocols,
  };
}

/** A function of its own: a closure in the caller would keep the upgrade request as long as the socket. */
function discount(stream: Duplex, perAddress: ConcurrencyLimit, address: string): void {
  stream.on('close', () => {
    perAddress.remove(address);
  });
}

/** Closes with a code after which clients reconnect. A browser could not read a refusal of the upgrade. */
function sendAway(socket: WebSocket): void {
  socket.on('error', () => undefined);
  socket.close(TRY_AGAIN_LATER, 'Overloaded');
}

const REFUSALS = {
  400: refusal(
    400,
    'This is no valid WebSocket handshake.',
    'Send one Host, a Sec-WebSocket-Key of 16 bytes in Base64, and the subprotocol graphql-transport-ws.',
  ),
  403: refusal(403, 'This web page may not connect.', 'Name its origin in ALLOWED_ORIGINS.'),
  404: refusal(404, 'There is no socket here.', 'The API is at /graphql.'),
  405: refusal(405, 'A WebSocket handshake has another method.', 'Send GET.', { headers: { Allow: 'GET' } }),
  426: refusal(
    426,
    'This version of the WebSocket protocol is not supported.',
    'Send Sec-WebSocket-Version: 13.',
    { headers: { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' } },
  ),
  // It is unknown when other clients of the address close their sockets.
  429: retryLater(
    429,
    'Too many sockets and streams of this address are open.',
    5,
    'Close some first, or try again in 5 s.',
  ),
};

/** Refuses an upgrade. Pages in browsers cannot read the response; other clients can. */
function refuseUpgrade(stream: Duplex, status: keyof typeof REFUSALS): void {
  stream.on('error', () => undefined);
  stream.end(rawRefusal(REFUSALS[status]));
}

/** Thousands of clients that are closed at once would reconnect at once. */
const SLICE = 100;
/** How long clients have to answer the close, in ms. */
const PATIENCE_MS = 2000;

/** Closes sockets in slices, and cuts those that do not answer the close. Resolves when all are closed. */
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

const PING_EVERY_MS = 12_000;
const LOOK_EVERY_MS = 1000;

interface Signs {
  /** The last sign of life: the client sent a message, or read something that waited for it. */
  aliveAt: number;
  /** When it last read something that waited for it; now while nothing waits. */
  tookAt: number;
  /** Bytes that waited for it, and messages that had left for it, at the last look. */
  buffered: number;
  taken: number;
  pingedAt: number;
}

/**
 * Closes sockets whose client reads nothing for `slowReaderMs` while messages wait, and cuts those that send nothing for that
 * long after a ping. `takenBy` counts the messages that have left for a client. Returns a function that stops it.
 */
function startHeartbeat(
  sockets: ReadonlySet<WebSocket>,
  slowReaderMs: number,
  takenBy: (socket: WebSocket) => number,
  counts: LiveCounts,
): () => void {
  const signs = new WeakMap<WebSocket, Signs>();
  const everyMs = Math.min(LOOK_EVERY_MS, slowReaderMs / 4);
  // Time that was watched: while the process is suspended, live clients are silent too.
  let watched = 0;
  let lookedAt = performance.now();

  function look(socket: WebSocket, now: number): void {
    const seen = signs.get(socket) ?? greet(socket, now);
    const buffered = socket.bufferedAmount;
    const taken = takenBy(socket);
    // More bytes prove nothing, since pings are buffered too. A message that leaves while nothing waits proves nothing
    // either: it may lie in the buffers of a dead client.
    const tookSome = buffered < seen.buffered || (seen.buffered > 0 && taken > seen.taken);
    if (tookSome) seen.aliveAt = now;
    if (tookSome || buffered === 0 || seen.buffered === 0) seen.tookAt = now;
    seen.buffered = buffered;
    seen.taken = taken;
    if (buffered > 0) {
      if (now - seen.tookAt >= slowReaderMs) {
        if (socket.readyState === socket.OPEN) counts.slowCloses += 1;
        socket.close(TRY_AGAIN_LATER, 'You read too slowly');
      }
    } else if (now - seen.aliveAt >= PING_EVERY_MS + slowReaderMs) {
      socket.terminate();
    }
    if (socket.readyState === socket.OPEN && now - Math.max(seen.pingedAt, seen.aliveAt) >= PING_EVERY_MS) {
      seen.pingedAt = now;
      socket.ping();
    }
  }

  function greet(socket: WebSocket, now: number): Signs {
    const seen = { aliveAt: now, tookAt: now, buffered: 0, taken: 0, pingedAt: now };
    const heard = (): void => {
      seen.aliveAt = watched;
    };
    socket.on('pong', heard).on('message', heard);
    signs.set(socket, seen);
    return seen;
  }

  const timer = setInterval(() => {
    const now = performance.now();
    watched += Math.min(now - lookedAt, 2 * everyMs);
    lookedAt = now;
    for (const socket of sockets) look(socket, watched);
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
