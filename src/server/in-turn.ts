import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';

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
