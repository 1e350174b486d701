import { setTimeout as delay } from 'node:timers/promises';

/** How long another process's lock on the store is waited for, and how often it is looked at meanwhile. */
const PATIENCE_MS = 250;
const LOOK_MS = 10;

/**
 * Runs a write again and again while another process holds the lock that it needs; rejects with the last error when that
 * takes too long. A database that waits by itself would hold up this whole process.
 */
export async function waitForLock(write: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      if (!isLocked(error) || performance.now() >= giveUpAt) throw error;
      await delay(LOOK_MS);
    }
  }
}

/** Another process is writing, or has made what the failed transaction had read out of date. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
