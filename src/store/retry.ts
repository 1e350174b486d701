import { setTimeout as delay } from 'node:timers/promises';
import type { Connections } from './connections.ts';
import { StoreUnavailableError } from '../tasks/store.ts';

/**
 * Runs a write, and retries it during an outage within the retry policy. Rejects with the last error. If any try failed that
 * way, its commit may have happened: `inDoubt` is called at the end.
 */
export async function retryOutage(
  connections: Pick<Connections, 'retryPolicy'>,
  write: () => Promise<void>,
  inDoubt: () => void,
): Promise<void> {
  const startedAt = performance.now();
  let isInDoubt = false;
  try {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        // Read each time: a shutdown shortens it.
        const { isOutage, pauseMs, totalMs } = connections.retryPolicy;
        if (!isOutage(error)) throw error;
        isInDoubt = true;
        if (performance.now() - startedAt >= totalMs) throw error;
        await delay(pauseMs);
      }
    }
  } finally {
    if (isInDoubt) inDoubt();
  }
}

/** Runs a read and turns every error into a StoreUnavailableError. */
export async function storeRead<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(error);
  }
}
