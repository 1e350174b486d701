import type { Dispatcher } from 'undici';
import { timeoutSignal } from '../tasks/clock.ts';
import { type RawAnswer, decodeBody, postOnce, type BrokenCall } from './post-once.ts';
import { createDispatcher } from './proxy.ts';

interface HttpOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly userAgent: string;
  /** HTTP proxy for all calls. */
  readonly proxy?: string | null | undefined;
  readonly createTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

/** Larger responses are not read to the end. Those of kie.ai are far smaller. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

/** Headers of every call. `identity`: otherwise a proxy may compress the response. */
export function callHeaders({ apiKey, userAgent }: Pick<HttpOptions, 'apiKey' | 'userAgent'>) {
  return {
    authorization: `Bearer ${apiKey}`,
    'user-agent': userAgent,
    'accept-encoding': 'identity',
  };
}

/** The body of a response. Rejects if it is incomplete or too large. */
export async function readText(
  { body, headers }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<string> {
  return decodeBody(Buffer.from(await body.arrayBuffer()), headers['content-encoding'], maxBytes);
}

export function createHttp(options: HttpOptions) {
  const { apiUrl: origin, proxy = null } = options;
  const headers = callHeaders(options);
  const dispatcher = createDispatcher(origin, proxy, {
    connections: 10,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: MAX_ANSWER_BYTES,
    // The signal is the timeout; undici's timers would discard what arrived while the process was suspended.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    /** Posts JSON once, on a new connection, without redirects. Never rejects. */
    postOnce: (path: string, json: string): Promise<RawAnswer | BrokenCall> =>
      postOnce({
        url: new URL(origin + path),
        proxy,
        headers,
        json,
        timeoutMs: options.createTimeoutMs,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      }),

    /** The body of a response with any status. Rejects without a complete response. */
    async get(path: string): Promise<string> {
      const timeout = timeoutSignal(options.queryTimeoutMs, 'no complete response');
      try {
        const answer = await dispatcher.request({
          origin,
          method: 'GET',
          path,
          headers,
          signal: timeout.signal,
        });
        return await readText(answer, MAX_ANSWER_BYTES);
      } finally {
        timeout.end();
      }
    },

    /** Aborts in-flight `get` calls. */
    close: () => dispatcher.destroy(),
  };
}

/** Longest accepted Retry-After. */
const MAX_MS = 24 * 60 * 60 * 1000;

/** Parses Retry-After (RFC 9110, 10.2.3) to ms from `now`, at most a day; null if it is absent or invalid. */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const at = /^\d+$/.test(header.trim()) ? now + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now), MAX_MS);
}
