import { setTimeout as delay } from 'node:timers/promises';
import type { Connections } from './connections.ts';
import { StoreUnavailableError } from '../tasks/store.ts';

/**
 * Runs a write again and again while the database is away; rejects with the last error when that takes too long. After a
 * write that broke off `inDoubt` is called once it has succeeded or was given up.
 */
export async function retryOutage(
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

/** How long answers are waited for, as long as somebody has set a limit. */
export interface TimeLimit {
  /** From now on, also for what is under way, no answer is waited for longer than this. */
  set(ms: number): void;
  isSet(): boolean;
  /** The answer, or a rejection when it takes too long. */
  on<T>(answer: Promise<T>): Promise<T>;
}

export function createTimeLimit(): TimeLimit {
  let limitMs: number | null = null;
  const waiting = new Set<() => void>();

  return {
    set(ms) {
      limitMs = ms;
      const giveUp = [...waiting];
      setTimeout(() => {
        for (const one of giveUp) one();
      }, ms);
    },
    isSet: () => limitMs !== null,
    on: (answer) =>
      new Promise((resolve, reject) => {
        const giveUp = (): void => {
          reject(new Error('Gateway is stopping and waits no longer for the database'));
        };
        waiting.add(giveUp);
        const timer = limitMs === null ? undefined : setTimeout(giveUp, limitMs);
        const settled = (): void => {
          waiting.delete(giveUp);
          clearTimeout(timer);
        };
        answer.finally(settled).then(resolve, reject);
      }),
  };
}

/** Runs a read; whatever goes wrong becomes a StoreUnavailableError. */
export async function available<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(error);
  }
}
