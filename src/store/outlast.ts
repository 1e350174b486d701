import { setTimeout as delay } from 'node:timers/promises';
import type { Patience } from './connections.ts';

/** Runs a write again and again while the database is away; rejects with the last error when that takes too long. */
export async function outlast(
  { isOutage, pauseMs, totalMs }: Patience,
  write: () => Promise<void>,
): Promise<void> {
  const giveUpAt = performance.now() + totalMs;
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      if (!isOutage(error) || performance.now() >= giveUpAt) throw error;
      await delay(pauseMs);
    }
  }
}
