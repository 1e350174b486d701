import type { WriterQueue } from './writer-queue.ts';

/** How long a proof holds, and how long after a failure the next one is tried, in ms. */
const GOOD_MS = 5000;
const BAD_MS = 1000;

/**
 * Returns how to ask whether the store takes writes. One row is written for all who ask at the same time, and the answer
 * is kept for a while, so that asking often costs no more. Rejects with StoreUnavailableError.
 */
export function createWriteProof(queue: WriterQueue): () => Promise<void> {
  let last: Promise<void> | null = null;
  let until = 0;

  async function prove(): Promise<void> {
    try {
      await queue.write({}, async ({ trx }) => {
        const row = { name: 'heartbeat', value: new Date().toISOString() };
        await trx
          .insertInto('secrets')
          .values(row)
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: row.value }))
          .execute();
      });
      until = performance.now() + GOOD_MS;
    } catch (error) {
      until = performance.now() + BAD_MS;
      throw error;
    }
  }

  return () => {
    if (last && performance.now() < until) return last;
    until = Infinity;
    last = prove();
    return last;
  };
}
