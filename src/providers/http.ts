import type { Dispatcher } from 'undici';
import { timeoutSignal, afterReading } from '../tasks/clock.ts';
import { type RawAnswer, decodeBody, postOnce, type BrokenCall } from './post-once.ts';
import { createDispatcher } from './proxy.ts';

interface HttpOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly userAgent: string;
  /** Through which all calls go; none when absent. */
  readonly proxy?: string | null | undefined;
  readonly createTimeoutMs: number;
  readonly queryTimeoutMs: number;
}

interface Http {
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

/** What every call carries. Most clients of HTTP ask for packed answers by themselves, so that a proxy may pack them. */
export function callHeaders({ apiKey, userAgent }: Pick<HttpOptions, 'apiKey' | 'userAgent'>) {
  return {
    authorization: `Bearer ${apiKey}`,
    'user-agent': userAgent,
    'accept-encoding': 'identity',
  };
}

/** The body of an answer. Rejects when it does not come whole, or is too large. */
export async function readText(
  { body, headers }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<string> {
  return decodeBody(Buffer.from(await body.arrayBuffer()), headers['content-encoding'], maxBytes);
}

export function createHttp(options: HttpOptions): Http {
  const { apiUrl: origin, proxy = null } = options;
  const headers = callHeaders(options);
  const dispatcher = createDispatcher(origin, proxy, {
    connections: 10,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: MAX_ANSWER_BYTES,
    // The signal of a call ends it; undici's own timers would throw away what arrived while the process was stopped.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    postOnce: (path, json) =>
      postOnce({
        url: new URL(origin + path),
        proxy,
        headers,
        json,
        timeoutMs: options.createTimeoutMs,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        maxAnswerBytes: MAX_ANSWER_BYTES,
      }),

    async get(path) {
      const { end, signal } = timeoutSignal(options.queryTimeoutMs, 'no whole answer');
      try {
        const answer = await dispatcher.request({ origin, method: 'GET', path, headers, signal });
        return await readText(answer, MAX_ANSWER_BYTES);
      } finally {
        end();
      }
    },

    close: () => dispatcher.destroy(),
  };
}

/** A signal that is aborted once nobody has said for a while that there is progress. */
export interface Patience {
  readonly signal: AbortSignal;
  renew(): void;
  /** Nothing is waited for any more. */
  end(): void;
}

export function createPatience(ms: number): Patience {
  const controller = new AbortController();
  const wait = (): (() => void) =>
    afterReading(ms, () => {
      controller.abort(new Error(`no progress within ${ms} ms`));
    });
  let end = wait();
  return {
    signal: controller.signal,
    renew: () => {
      end();
      end = wait();
    },
    end: () => {
      end();
    },
  };
}

/** Nobody is sent away for longer. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * The header in ms from `now` on (RFC 9110, 10.2.3: seconds, or an HTTP date), a day at most; null when it says nothing
 * usable.
 */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const at = /^\d+$/.test(header.trim()) ? now + Number(header) * 1000 : Date.parse(header);
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now), MAX_MS);
}
