/** A request that is not processed, and what its sender is told. */
export interface Refusal {
  readonly status: 401 | 429 | 503;
  readonly message: string;
  readonly code: 'UNAUTHENTICATED' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';
  /** How to mend it; left out where it is to come back. */
  readonly hint?: string;
  /** When to come back, in seconds; null when that would not help. */
  readonly retryAfterS: number | null;
}

/** The headers that go with a refusal over HTTP. */
export function refusalHeaders({ retryAfterS, status }: Refusal): Record<string, string> {
  return {
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterS !== null && { 'retry-after': String(retryAfterS) }),
  };
}

/** How to mend it, or when to come back, in words. */
export function refusalHint({ hint, retryAfterS }: Refusal): string | null {
  return hint ?? (retryAfterS === null ? null : `Try again in ${retryAfterS} s.`);
}
