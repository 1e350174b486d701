import { setTimeout as delay } from 'node:timers/promises';

/**
 * Proves that something does not happen: throws when `promise` settles within a short while. The one place where a
 * test may let time pass; the promise may stay abandoned afterwards.
 */
export async function staysPending(promise: Promise<unknown>, forMs = 50): Promise<void> {
  const settled = promise.then(
    (value) => ({ how: 'resolved', with: value }),
    (reason: unknown) => ({ how: 'rejected', with: reason }),
  );
  const early = await Promise.race([settled, delay(forMs)]);
  if (early === undefined) return;
  throw new Error(`Nothing was to happen, but it ${early.how}`, { cause: early.with });
}
