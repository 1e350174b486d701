import { setTimeout as delay } from 'node:timers/promises';
import type { Patience } from './connections.ts';

/**
 * Runs a write again and again while the database is away; rejects with the last error when that takes too long. After a
 * write that broke off `inDoubt` is called once it has succeeded or was given up.
 */
export async function outlast(
  { isOutage, pauseMs, totalMs }: Patience,
  write: () => Promise<void>,
  inDoubt: () => void,
): Promise<void> {
  const giveUpAt = performance.now() + totalMs;
  let brokeOff = false;
  try {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        if (!isOutage(error)) throw error;
        brokeOff = true;
        if (performance.now() >= giveUpAt) throw error;
        await delay(pauseMs);
      }
    }
  } finally {
    if (brokeOff) inDoubt();
  }
}
