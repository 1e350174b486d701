import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { MESSAGE_TOO_BIG } from './close-codes.ts';

/** Bytes before connection_init is accepted. A JSON Web Token fits: HTTP headers have the same limit in Node.js. */
const MAX_BYTES = 16 * 1024;
/** Reads from the connection before that. Each read costs an object, however few bytes it brings. */
const MAX_READS = 64;

/**
 * Cuts a socket that sends more than a connection_init needs before `isAdmitted` says that its client is let in. ws has
 * one limit for all messages of a server, and counts neither pings nor unfinished messages.
 */
export function limitBeforeInit(socket: WebSocket, stream: Duplex, isAdmitted: () => boolean): void {
  let bytes = 0;
  let reads = 0;
  const onData = (chunk: Buffer): void => {
    if (isAdmitted()) {
      stream.off('data', onData);
      return;
    }
    bytes += chunk.length;
    reads += 1;
    if (bytes <= MAX_BYTES && reads <= MAX_READS) return;
    stream.off('data', onData);
    socket.close(MESSAGE_TOO_BIG, `More than ${MAX_BYTES / 1024} KiB before connection_ack`);
    socket.terminate();
  };
  stream.on('data', onData);
}
