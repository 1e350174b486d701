/** Why a request is not processed, and what its client is told over any transport. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** How to fix the request, or when to retry it. */
  readonly hint: string;
  readonly code?: string;
  /** Seconds until a retry may succeed. */
  readonly retryAfter?: number;
  /** Headers of an HTTP response, beside Retry-After. */
  readonly headers?: Readonly<Record<string, string>>;
}

export function refusal(
  status: number,
  message: string,
  hint: string,
  more: Pick<Refusal, 'code' | 'headers' | 'retryAfter'> = {},
): Refusal {
  return { status, message, hint, ...more };
}

/** A refusal that a later retry can overcome: 429 for a limit of the client's, 503 for trouble of the gateway's. */
export function retryLater(
  status: 429 | 503,
  message: string,
  retryAfter: number,
  hint = `Try again in ${retryAfter} s.`,
): Refusal {
  const code = status === 429 ? 'RATE_LIMITED' : 'SERVICE_UNAVAILABLE';
  return { status, code, message, hint, retryAfter };
}

/** Milliseconds as the seconds of Retry-After: at least 1. */
export function secondsOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
