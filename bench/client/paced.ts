import { setTimeout as delay } from 'node:timers/promises';

/** Sends a request, and calls `before` when it leaves. */
type Send = (request: Buffer, before: () => void) => Promise<unknown>;

/**
 * Sends a request every `everyMs`, however long the answers take, until `end` settles. Returns how long each answer took, in ms.
 */
export async function sendPaced(
  send: Send,
  {
    end,
    everyMs,
    next,
  }: { readonly everyMs: number; readonly next: () => Buffer; readonly end: Promise<unknown> },
): Promise<number[]> {
  const over = new AbortController();
  const ended = end.finally(() => {
    over.abort();
  });
  // Whoever gives up before hears of the first failure alone.
  ended.catch(() => undefined);
  const sent: Promise<number>[] = [];
  const start = performance.now();
  while (!over.signal.aborted) {
    sent.push(timeOf(next()));
    await delay(Math.max(0, start + sent.length * everyMs - performance.now()));
  }
  await ended;
  return Promise.all(sent);

  async function timeOf(request: Buffer): Promise<number> {
    let since = 0;
    await send(request, () => (since = performance.now()));
    return performance.now() - since;
  }
}
