/** A request that cannot be answered as it was put; shown to the caller with its code and message. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: 'BAD_USER_INPUT' | 'NOT_FOUND' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';
  /** For RATE_LIMITED and SERVICE_UNAVAILABLE: when to come back, in ms. */
  readonly retryAfterMs: number | null;

  constructor(code: RequestError['code'], message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
