import type { BaseLogger } from 'pino';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { withPersistedQuery } from '../engine/request-params.ts';
import type { InTurn } from '../limits/turns.ts';
import { closeReason, type SocketExtra } from './socket.ts';
import { limitBeforeInit } from './on-connect.ts';
import type { SendBuffer } from './send-buffer.ts';
import type { Protocol } from './protocol.ts';

export interface SocketOptions {
  /** The graphql-transport-ws protocol; it knows no sockets. */
  readonly protocol: Protocol;
  /** Operations that one socket may begin in a second. */
  readonly maxOperationsPerSecond: number;
  /** The address of a request, as limits count it. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Returns a request id for the log. */
  readonly nextId: () => string;
  /** When large messages are parsed. */
  readonly inTurn: InTurn;
  readonly log: BaseLogger;
}

/** Start of the error of graphql-ws for a message that only servers send. */
const NOT_FOR_SERVERS = 'Unexpected message of type ';

/** Connects one socket to the protocol. `send` resolves when the bytes have left, which slows down their source. */
export function connectSocket(
  options: SocketOptions,
  socket: WebSocket,
  stream: Duplex,
  request: IncomingMessage,
  sendBuffer: SendBuffer,
): void {
  const { log, maxOperationsPerSecond, protocol } = options;
  const openedAt = performance.now();
  const extra = extraOf(options, socket, request, sendBuffer);
  const count = closeWhenFlooded(socket, maxOperationsPerSecond);
  const countBeforeInit = limitBeforeInit(socket, stream, () => extra.principal !== null);
  socket.on('ping', count).on('pong', count);
  const opened = protocol.opened(
    {
      // A client that names no subprotocol means this one.
      protocol:
        socket.protocol || (request.headers['sec-websocket-protocol'] ?? GRAPHQL_TRANSPORT_WS_PROTOCOL),
      send: (data) =>
        new Promise((resolve) => {
          sendBuffer.send(data, resolve);
        }),
      close: (code, reason) => {
        socket.close(code, closeReason(reason ?? ''));
      },
      onMessage: (receive) => {
        const handle = (data: Buffer): void => {
          extra.messageBytes = data.length;
          receive(withQuery(data.toString())).catch((error: unknown) => {
            if (error instanceof Error && error.message.startsWith(NOT_FOR_SERVERS)) {
              socket.close(CloseCode.BadRequest, 'Invalid message received');
              return;
            }
            log.error({ err: error }, 'a socket message was not handled; the socket is closed');
            socket.close(CloseCode.InternalServerError, 'Internal server error');
          });
        };
        const inOrder = largeInTurn(options.inTurn, socket, sendBuffer, extra, handle);
        socket.on('message', (data: Buffer) => {
          count();
          countBeforeInit();
          inOrder(data);
        });
      },
    },
    extra,
  );
  // `close` comes once, but `once` would keep a wrapper that is larger than the listener.
  socket.on('close', (code, reason) => {
    void opened(code, reason.toString());
    const { principal, operations, reqId } = extra;
    const ms = Math.round(performance.now() - openedAt);
    log.info({ reqId, owner: principal?.owner ?? null, code, ms, operations }, 'socket closed');
  });
  socket.on('error', (error) => {
    log.debug({ err: error }, 'a socket broke');
    // The close frame has left. Only authenticated clients get time to answer it.
    if (!extra.principal) socket.terminate();
  });
}

/** graphql-ws closes a socket with 4400 if an operation has no `query`. */
function withQuery(message: string): string {
  if (!message.includes('"persistedQuery"')) return message;
  try {
    const parsed = JSON.parse(message) as { readonly payload?: Readonly<Record<string, unknown>> };
    return parsed.payload
      ? JSON.stringify({ ...parsed, payload: withPersistedQuery(parsed.payload) })
      : message;
  } catch {
    // graphql-ws reports what is wrong with it.
    return message;
  }
}

/** Parsing a smaller message takes less time than to schedule it. */
const LARGE_BYTES = 4 * 1024;

/**
 * Handles the messages of a socket in order, and large ones in the turn of their owner: a client with many sockets could
 * otherwise have one message of each parsed in every turn of the event loop. Stops reading while a message waits, or while the
 * client takes no replies.
 */
function largeInTurn(
  inTurn: InTurn,
  socket: WebSocket,
  sendBuffer: SendBuffer,
  extra: SocketExtra,
  handle: (data: Buffer) => void,
): (data: Buffer) => void {
  let waiting = 0;
  const isOpen = (): boolean => socket.readyState === socket.OPEN;
  const readOn = (): void => {
    if (waiting === 0) socket.resume();
  };
  return (data) => {
    const { principal } = extra;
    // A client that does not answer the close could send for half a minute.
    if (!isOpen()) return;
    if (!principal || (waiting === 0 && data.length < LARGE_BYTES)) {
      if (!socket.isPaused && sendBuffer.isFull()) {
        socket.pause();
        sendBuffer.onDrain(readOn);
      }
      handle(data);
      return;
    }
    waiting += 1;
    socket.pause();
    void inTurn(principal.owner, () => {
      waiting -= 1;
      if (isOpen()) handle(data);
      if (isOpen() && sendBuffer.isFull()) sendBuffer.onDrain(readOn);
      else readOn();
      return Promise.resolve();
    });
  };
}

function extraOf(
  { addressOf, maxOperationsPerSecond, nextId }: SocketOptions,
  socket: WebSocket,
  request: IncomingMessage,
  sendBuffer: SendBuffer,
): SocketExtra {
  return {
    reqId: nextId(),
    // Only the header: the request would be kept as long as the socket.
    authorization: request.headers.authorization,
    address: addressOf(request),
    principal: null,
    operations: 0,
    messageBytes: 0,
    heldBytes: 0,
    sendBuffer,
    close: (code, reason) => {
      socket.close(code, closeReason(reason));
    },
    onClosed: (run) => {
      if (socket.readyState === socket.CLOSED) run();
      else socket.on('close', run);
    },
    takeOperation: createRate(maxOperationsPerSecond),
  };
}

/** Messages of all kinds, pings included, for each operation that a socket may begin. */
const MESSAGES_PER_OPERATION = 20;

/** Returns a function that counts a message or ping of the client. Too many in a second close the socket. */
function closeWhenFlooded(socket: WebSocket, maxOperationsPerSecond: number): () => void {
  const takeMessage = createRate(maxOperationsPerSecond * MESSAGES_PER_OPERATION);
  return () => {
    if (takeMessage() > 0) socket.close(CloseCode.TooManyInitialisationRequests, 'Too many messages');
  };
}

/**
 * Counts events in windows of a second. Returns 0 up to `limit`, and beyond it the ms until the window ends. `now` must be
 * monotonic: a clock that is set back by an hour would make the window last an hour.
 */
function createRate(limit: number, now = (): number => performance.now()): () => number {
  let windowEnd = 0;
  let count = 0;
  return () => {
    const time = now();
    if (time >= windowEnd) {
      windowEnd = time + 1000;
      count = 0;
    }
    count += 1;
    return count > limit ? windowEnd - time : 0;
  };
}
