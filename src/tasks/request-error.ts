/** A request that cannot be answered as it was put; shown to the caller with its code and message. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: 'BAD_USER_INPUT' | 'NOT_FOUND';

  constructor(code: RequestError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
