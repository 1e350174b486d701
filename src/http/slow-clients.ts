import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How much of a request is read and thrown away after its answer, so that its sender sees that and not a reset. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const LOOK_EVERY_MS = 1000;
/** How long a close waits for requests under way, in ms. */
const PATIENCE_MS = 2000;

/** Looks after answers on their way, and after requests that are answered and have not ended. */
export interface Answers {
  watch(request: IncomingMessage, response: ServerResponse): void;
  /**
   * The server closes: it waits for requests under way, but not until the clients that sent them let go of their
   * connections, nor for those that do not read their answers.
   */
  close(): void;
}

interface OnItsWay {
  /** Bytes that the client's side had taken at the last look. */
  taken: number;
  /** When it last took something; the last look, as long as nothing waits for it. */
  tookAt: number;
}

/** Cuts connections whose clients take nothing of what waits for them for `slowReaderMs`, and those that send without end. */
export function createAnswers(server: Server, slowReaderMs: number): Answers {
  const onTheirWay = new Map<ServerResponse, OnItsWay>();
  /** How many bytes may have been read of each connection whose request was answered early. */
  const discarding = new Map<Socket, number>();
  const connections = new Set<Socket>();
  const everyMs = Math.min(LOOK_EVERY_MS, slowReaderMs / 4);
  // The time that was watched: while the process stands still, nothing leaves, however fast a client reads.
  let watched = 0;
  let lookedAt = performance.now();
  let isClosing = false;
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });

  function look(): void {
    const now = performance.now();
    watched += Math.min(now - lookedAt, 2 * everyMs);
    lookedAt = now;
    for (const [{ socket }, seen] of onTheirWay) {
      if (!socket) continue;
      const taken = takenBy(socket);
      if (socket.writableLength === 0 || taken > seen.taken) seen.tookAt = watched;
      seen.taken = taken;
      if (watched - seen.tookAt >= slowReaderMs) socket.destroy();
    }
    for (const [socket, limit] of discarding) if (socket.bytesRead > limit) socket.destroy();
  }

  const timer = setInterval(look, everyMs);
  timer.unref();
  server.on('close', () => {
    clearInterval(timer);
  });

  function discardRest(request: IncomingMessage): void {
    const { socket } = request;
    discarding.set(socket, socket.bytesRead + MAX_DISCARDED_BYTES);
    request.once('close', () => discarding.delete(socket)).resume();
  }

  return {
    watch(request, response) {
      onTheirWay.set(response, { taken: 0, tookAt: watched });
      response.once('close', () => {
        onTheirWay.delete(response);
        if (!request.complete && !request.destroyed) discardRest(request);
        if (isClosing) server.closeIdleConnections();
      });
    },
    close() {
      isClosing = true;
      // Those with headers still to come tell their client that the connection ends.
      for (const response of onTheirWay.keys()) if (!response.headersSent) response.shouldKeepAlive = false;
      // Browsers connect ahead of need; to Node such a connection is not idle but about to send its first request.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      // Also those that were answered early and whose request is still coming.
      setTimeout(() => {
        server.closeAllConnections();
      }, PATIENCE_MS).unref();
    },
  };
}

/**
 * How much the system has taken of what was written: one write of megabytes leaves bit by bit, and the stream counts it when
 * it is gone. Node.js goes by the same figures: https://github.com/nodejs/node/blob/v20.19.0/lib/net.js#L607
 */
function takenBy(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}

/** So many bytes have to arrive in each window of time in which a body is waited for. */
interface Pace {
  readonly bytes: number;
  readonly windowMs: number;
}

/** The sender of a body holds a place and does not make use of it. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError';
}

/** The chunks of a body; rejects with TooSlowError when they come more slowly than `pace`. */
export async function* atLeastPace(
  source: AsyncIterable<Buffer>,
  { bytes, windowMs }: Pace,
): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  let arrived = 0;
  let isWaiting = false;
  let begun = performance.now();
  let giveUp: (error: TooSlowError) => void = () => undefined;
  const timer = setInterval(() => {
    // A slow disk of ours is not the sender's fault, nor is a pause of this process: what came meanwhile is not read yet.
    const isWatched = performance.now() - begun < 2 * windowMs;
    begun = performance.now();
    if (isWatched && isWaiting && arrived < bytes)
      giveUp(new TooSlowError(`less than ${bytes} bytes in ${windowMs} ms`));
    arrived = 0;
  }, windowMs);
  try {
    for (;;) {
      isWaiting = true;
      // Not a race with a promise that lasts: that one would keep every chunk (https://github.com/nodejs/node/issues/17469).
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        giveUp = reject;
        chunks.next().then(resolve, reject);
      });
      isWaiting = false;
      if (next.done === true) return;
      arrived += next.value.length;
      yield next.value;
    }
  } finally {
    clearInterval(timer);
    // While its next chunk is waited for, it would not return before that.
    if (!isWaiting) await chunks.return?.();
  }
}
