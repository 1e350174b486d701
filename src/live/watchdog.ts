import type { WebSocket } from 'ws';

const PING_EVERY_MS = 12_000;
const LOOK_EVERY_MS = 1000;

/** RFC 6455's registry: "try again later". graphql-ws clients come back after it. */
const TRY_AGAIN_LATER = 1013;

interface Signs {
  /** When the client was last known to be there: it sent something, or took something of what waits for it. */
  aliveAt: number;
  /** Bytes that waited for it at the last look. */
  buffered: number;
  pingedAt: number;
}

/**
 * Looks after open sockets: closes those whose client takes nothing of what waits for it for `slowReaderMs`, and cuts
 * those from which nothing was heard for that long after a ping. Returns how to stop.
 */
export function startWatchdog(sockets: ReadonlySet<WebSocket>, slowReaderMs: number): () => void {
  const signs = new WeakMap<WebSocket, Signs>();

  function look(socket: WebSocket, now: number): void {
    const seen = signs.get(socket) ?? greet(socket, now);
    const buffered = socket.bufferedAmount;
    // Pings are buffered too, so only a fall shows that the client reads.
    if (buffered < seen.buffered) seen.aliveAt = now;
    if (buffered > 0 && seen.buffered === 0) seen.aliveAt = now;
    seen.buffered = buffered;
    const silentMs = now - seen.aliveAt;
    if (buffered > 0) {
      if (silentMs >= slowReaderMs) socket.close(TRY_AGAIN_LATER, 'You read too slowly');
    } else if (silentMs >= PING_EVERY_MS + slowReaderMs) {
      socket.terminate();
    }
    if (socket.readyState === socket.OPEN && now - Math.max(seen.pingedAt, seen.aliveAt) >= PING_EVERY_MS) {
      seen.pingedAt = now;
      socket.ping();
    }
  }

  function greet(socket: WebSocket, now: number): Signs {
    const seen = { aliveAt: now, buffered: 0, pingedAt: now };
    const heard = (): void => {
      seen.aliveAt = Date.now();
    };
    socket.on('pong', heard).on('message', heard);
    signs.set(socket, seen);
    return seen;
  }

  const timer = setInterval(
    () => {
      const now = Date.now();
      for (const socket of sockets) look(socket, now);
    },
    Math.min(LOOK_EVERY_MS, slowReaderMs / 4),
  );
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
