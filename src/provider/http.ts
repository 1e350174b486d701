import { Client, Pool, buildConnector } from 'undici';
import type { RawAnswer } from './create-outcome.ts';

export interface HttpOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly userAgent: string;
  readonly createTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

/** A call that brought no whole answer. */
export interface BrokenCall {
  readonly error: Error;
  /** false: the connection never stood, so that nothing can have been received. */
  readonly hadConnected: boolean;
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
    async postOnce(path, json) {
      let hadConnected = false;
      const client = createLoneClient(options.apiUrl, () => (hadConnected = true));
      try {
        const answer = await client.request({
          method: 'POST',
          path,
          headers: { ...headers, 'content-type': 'application/json' },
          body: json,
          signal: AbortSignal.timeout(options.createTimeoutMs),
        });
        const retryAfter = answer.headers['retry-after'];
        const body = answer.body.text();
        return {
          status: answer.statusCode,
          // A 429 says all there is to say in its status: nothing was created, however its body ends.
          body: answer.statusCode === 429 ? await body.catch(() => '') : await body,
          retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
        };
      } catch (error) {
        return { error: error instanceof Error ? error : new Error(String(error)), hadConnected };
      } finally {
        await client.destroy();
      }
    },

    async get(path) {
      const signal = AbortSignal.timeout(options.queryTimeoutMs);
      const answer = await pool.request({ method: 'GET', path, headers, signal });
      return answer.body.text();
    },

    close: () => pool.destroy(),
  };
}

/**
 * A kept-alive connection may be closed by the other side just as we write to it, which looks like a lost answer; a
 * fresh one also tells whether there was any connection at all.
 */
function createLoneClient(origin: string, onConnected: () => void): Client {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
  return new Client(origin, {
    maxResponseSize: MAX_ANSWER_BYTES,
    // The call's own signal is the only time-out once the connection stands.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (target, callback) => {
      connect(target, (...result) => {
        if (result[0] === null) onConnected();
        callback(...result);
      });
    },
  });
}
