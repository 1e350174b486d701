import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { createRate } from './rate.ts';

/** Messages of all kinds, pings included, for each operation that a socket may begin: refused ones get their answers. */
const MESSAGES_PER_OPERATION = 20;

/** Returns what counts a message or ping of the client's; too many in a second close its socket. */
export function closeWhenFlooded(socket: WebSocket, maxOperationsPerSecond: number): () => void {
  const takeMessage = createRate(maxOperationsPerSecond * MESSAGES_PER_OPERATION);
  return () => {
    if (takeMessage() > 0) socket.close(CloseCode.TooManyInitialisationRequests, 'Too many messages');
  };
}
