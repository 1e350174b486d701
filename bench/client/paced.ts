import { setTimeout as delay } from 'node:timers/promises';
import { FRESH_MS } from './callers.ts';
import { openHttp, type Answer, type HttpConnection } from './http-connection.ts';

/** Requests at a fixed pace, however long their answers take. */
export interface Paced {
  /** Sends a request every `everyMs` until `end` settles; returns how long each answer took, in ms. */
  run(everyMs: number, next: () => Buffer, end: Promise<unknown>): Promise<number[]>;
  end(): void;
}

/** `check` throws when an answer is not what it should be. */
export function openPaced(port: number, check: (answer: Answer) => void): Paced {
  const idle: { readonly connection: HttpConnection; readonly since: number }[] = [];

  async function send(request: Buffer): Promise<number> {
    const { connection: last, since } = idle.pop() ?? { connection: null, since: 0 };
    const isFresh = performance.now() - since < FRESH_MS;
    if (!isFresh) last?.end();
    const connection = last && isFresh ? last : await openHttp(port);
    const start = performance.now();
    const answer = await connection.send(request);
    const ms = performance.now() - start;
    check(answer);
    idle.push({ connection, since: performance.now() });
    return ms;
  }

  return {
    async run(everyMs, next, end) {
      const over = new AbortController();
      const ended = end.finally(() => {
        over.abort();
      });
      // Whoever gives up before hears of the first failure alone.
      ended.catch(() => undefined);
      const sent: Promise<number>[] = [];
      const start = performance.now();
      while (!over.signal.aborted) {
        sent.push(send(next()));
        await delay(Math.max(0, start + sent.length * everyMs - performance.now()));
      }
      await ended;
      return Promise.all(sent);
    },
    end() {
      for (const { connection } of idle) connection.end();
    },
  };
}
