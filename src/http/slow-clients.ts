import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How much of a request is read and discarded after its response, so that its client sees that and not a reset. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const LOOK_EVERY_MS = 1000;
/** How long a close waits for running requests. */
const PATIENCE_MS = 2000;

interface Limits {
  /** How long a client may read nothing of a response. */
  readonly slowReaderMs: number;
  /** How long a request, and its headers, may take to arrive. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

/** Cuts clients that are too slow, or that send on and on after their response. */
interface Clients {
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Lets running requests end for a short time, and closes all other connections. */
  close(): void;
}

interface Client {
  /** The response that the client gets now. */
  response: ServerResponse | null;
  /** Bytes that the client's side had accepted at the last look. */
  accepted: number;
  /** When it last accepted some; the last look, while nothing waits for it. */
  acceptedAt: number;
  /** Up to how many bytes it may send: fewer than it likes once its request was answered early. */
  maxBytes: number;
}

/** Limits the time of all clients of `server`. The time in which this process did not run does not count. */
export function watchClients(
  server: Server,
  { headersTimeoutMs, requestTimeoutMs, slowReaderMs }: Limits,
): Clients {
  // By connection: an old map of responses kept most of them from being collected, which took a sixth of the time of a query.
  const clients = new Map<Socket, Client>();
  const everyMs = Math.min(LOOK_EVERY_MS, slowReaderMs / 4, requestTimeoutMs / 4);
  let lookedAt = performance.now();
  /** The time that this process ran, as far as looks have shown. */
  let watched = 0;
  /** The length of the last pauses of this process, and the end of the last one in watched time. */
  let paused = 0;
  let pausedAt = 0;
  let isClosing = false;
  server.on('connection', (socket: Socket) => {
    clients.set(socket, { response: null, accepted: 0, acceptedAt: 0, maxBytes: Infinity });
    socket.on('close', () => clients.delete(socket));
  });

  /** How long the process has not run since the last look. */
  const pauseSince = (now: number): number => Math.max(0, now - lookedAt - 2 * everyMs);
  // Node.js looks for late requests before it reads what arrived during a pause, so its limits grow by the pause.
  const grow = (ms: number) => ({ get: () => Math.ceil(ms + paused + pauseSince(performance.now())) });
  Object.defineProperties(server, {
    requestTimeout: grow(requestTimeoutMs),
    headersTimeout: grow(headersTimeoutMs),
  });

  function look(): void {
    const now = performance.now();
    const pause = pauseSince(now);
    watched += now - lookedAt - pause;
    lookedAt = now;
    if (pause > 0) pausedAt = watched;
    // By then no request is left that began before the pause.
    paused = watched - pausedAt > requestTimeoutMs ? 0 : paused + pause;
    for (const [socket, client] of clients) {
      if (socket.bytesRead > client.maxBytes) socket.destroy();
      if (!client.response) continue;
      const accepted = acceptedBy(socket);
      if (socket.writableLength === 0 || accepted > client.accepted) client.acceptedAt = watched;
      client.accepted = accepted;
      if (watched - client.acceptedAt >= slowReaderMs) socket.destroy();
    }
  }

  const timer = setInterval(look, everyMs);
  timer.unref();
  server.on('close', () => {
    clearInterval(timer);
  });

  function discardRest(request: IncomingMessage, client: Client): void {
    client.maxBytes = request.socket.bytesRead + MAX_DISCARDED_BYTES;
    request.once('close', () => (client.maxBytes = Infinity)).resume();
  }

  return {
    watch(request, response) {
      const client = clients.get(request.socket);
      // The connection has closed meanwhile.
      if (!client) return;
      Object.assign(client, { response, accepted: 0, acceptedAt: watched });
      response.once('close', () => {
        // The next request of a connection may begin before the response to the last one is closed.
        if (client.response === response) client.response = null;
        if (!request.complete && !request.destroyed) discardRest(request, client);
        if (isClosing) server.closeIdleConnections();
      });
    },
    close() {
      isClosing = true;
      for (const [socket, { response }] of clients) {
        if (response && !response.headersSent) response.shouldKeepAlive = false;
        // Browsers connect in advance. Node.js does not count such a connection as idle.
        if (socket.bytesRead === 0) socket.destroy();
      }
      setTimeout(() => {
        server.closeAllConnections();
      }, PATIENCE_MS).unref();
    },
  };
}

/**
 * How many bytes the system has accepted of all that was written. A stream counts a large write only when all of it has left.
 * Node.js uses the same figures: https://github.com/nodejs/node/blob/v20.19.0/lib/net.js#L607
 */
function acceptedBy(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}

/** How many bytes have to arrive in each window of time. */
interface Pace {
  readonly bytes: number;
  readonly windowMs: number;
}

/** A body arrives too slowly. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError';
}

/** The chunks of a body. Rejects with TooSlowError if they arrive more slowly than `pace`. */
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
    // The client is not to blame for a slow disk of ours, or for a pause of this process.
    const isWatched = performance.now() - begun < 2 * windowMs;
    begun = performance.now();
    if (isWatched && isWaiting && arrived < bytes)
      giveUp(new TooSlowError(`less than ${bytes} bytes in ${windowMs} ms`));
    arrived = 0;
  }, windowMs);
  try {
    for (;;) {
      isWaiting = true;
      // A race with a lasting promise would keep every chunk: https://github.com/nodejs/node/issues/17469
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
    // A generator that waits for its next chunk returns only after that.
    if (!isWaiting) await chunks.return?.();
  }
}
