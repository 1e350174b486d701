import { Pool } from 'undici';
import type { RawAnswer } from './create-outcome.ts';
import { postOnce, type BrokenCall } from './post-once.ts';

export interface HttpOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly userAgent: string;
  readonly createTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

export interface Http {
  /** Posts JSON on a connection of its own, never a kept one: no repetition, no redirect. Never rejects. */
  postOnce(path: string, json: string): Promise<RawAnswer | BrokenCall>;
  /** The body of an answer, whatever its status; rejects when there is none. */
  get(path: string): Promise<string>;
  /** Breaks off what `get` has under way. */
  close(): Promise<void>;
}

/** No answer of kie.ai comes near this; a larger one is not read to its end. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

export function createHttp(options: HttpOptions): Http {
  const headers = { authorization: `Bearer ${options.apiKey}`, 'user-agent': options.userAgent };
  const pool = new Pool(options.apiUrl, {
    connections: 10,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: MAX_ANSWER_BYTES,
  });

  return {
    postOnce: (path, json) =>
      postOnce({
        url: new URL(options.apiUrl + path),
        headers,
        json,
        timeoutMs: options.createTimeoutMs,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      }),

    async get(path) {
      const signal = AbortSignal.timeout(options.queryTimeoutMs);
      const answer = await pool.request({ method: 'GET', path, headers, signal });
      return answer.body.text();
    },

    close: () => pool.destroy(),
  };
}
