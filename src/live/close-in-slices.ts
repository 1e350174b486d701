import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';

/** Thousands of clients that are sent away in one instant come back in one. */
const SLICE = 100;
/** How long clients have to answer the close, in ms. */
const PATIENCE_MS = 2000;

/** Closes sockets a slice at a time; those that do not answer the close are cut. Fulfilled when all are gone. */
export async function closeInSlices(
  sockets: ReadonlySet<WebSocket>,
  code: number,
  reason: string,
): Promise<void> {
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
