import type { WebSocket } from 'ws';
import { TRY_AGAIN_LATER, type LiveCounts } from './socket.ts';

const PING_EVERY_MS = 12_000;
const LOOK_EVERY_MS = 1000;

interface Signs {
  /** When the client was last known to be there: it sent something, or took something of what waits for it. */
  aliveAt: number;
  /** When it last took something of what waits for it; now, as long as nothing waits. */
  tookAt: number;
  /** Bytes that waited for it at the last look, and how many messages had left for it by then. */
  buffered: number;
  taken: number;
  pingedAt: number;
}

/**
 * Looks after open sockets: closes those whose client takes nothing of what waits for it for `slowReaderMs`, and cuts
 * those from which nothing was heard for that long after a ping. `takenBy` counts the messages that have left for a
 * client. Returns how to stop.
 */
export function startHeartbeat(
  sockets: ReadonlySet<WebSocket>,
  slowReaderMs: number,
  takenBy: (socket: WebSocket) => number,
  counts: LiveCounts,
): () => void {
  const signs = new WeakMap<WebSocket, Signs>();
  const everyMs = Math.min(LOOK_EVERY_MS, slowReaderMs / 4);
  // The time that was watched: while the process stands still, nobody is heard, however alive. A clock that is set does not count.
  let watched = 0;
  let lookedAt = performance.now();

  function look(socket: WebSocket, now: number): void {
    const seen = signs.get(socket) ?? greet(socket, now);
    const buffered = socket.bufferedAmount;
    const taken = takenBy(socket);
    // Pings are buffered too, so more bytes say nothing; as many may be other ones. And what leaves while nothing waits
    // may lie in the buffers of a client that is dead.
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
