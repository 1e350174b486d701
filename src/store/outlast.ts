import { setTimeout as delay } from 'node:timers/promises';
import type { Connections } from './connections.ts';

/**
 * Runs a write again and again while the database is away; rejects with the last error when that takes too long. After a
 * write that broke off `inDoubt` is called once it has succeeded or was given up.
 */
export async function outlast(
  connections: Pick<Connections, 'patience'>,
  write: () => Promise<void>,
  inDoubt: () => void,
): Promise<void> {
  const begunAt = performance.now();
  let brokeOff = false;
  try {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        // Asked each time: it shrinks when the process stops.
        const { isOutage, pauseMs, totalMs } = connections.patience;
        if (!isOutage(error)) throw error;
        brokeOff = true;
        if (performance.now() - begunAt >= totalMs) throw error;
        await delay(pauseMs);
      }
    }
  } finally {
    if (brokeOff) inDoubt();
  }
}
