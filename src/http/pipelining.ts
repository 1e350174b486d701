import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { createBeginInTurns } from '../limits/turns.ts';
import { cut } from './incoming.ts';

/** How many requests may wait, of one connection and of all connections. */
const MAX_WAITING = 128;
const MAX_WAITING_OF_ALL = 8192;

interface Line {
  /** How many requests of the connection wait. */
  waiting: number;
  /** `bytesRead` of the socket at the last request that was handled at once. */
  handledAt: number;
}

/**
 * Handles each request of a connection after the response to the one before, and requests that arrived in one read in slices.
 * Node.js passes on all requests of one read together, and keeps their responses in memory until the first one is read. A
 * connection on which too many wait is closed, which its client has to expect (RFC 9112, 9.3.2).
 */
export function inTurn(handle: RequestListener): RequestListener {
  const lines = new WeakMap<Socket, Line>();
  const inSlices = createBeginInTurns();
  let waitingOfAll = 0;

  return (request, response) => {
    const { socket } = request;
    const line = lines.get(socket) ?? { waiting: 0, handledAt: -1 };
    lines.set(socket, line);
    // Node.js assigns the socket to a response when its turn has come.
    const isNext = response.socket !== null;
    if (isNext && socket.bytesRead !== line.handledAt) {
      line.handledAt = socket.bytesRead;
      handle(request, response);
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
      // For a destroyed socket, the `close` event has counted it.
      if (!socket.destroyed) {
        request.off('close', leave);
        leave();
        handle(request, response);
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
