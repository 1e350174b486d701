/** Who sent a request, after authentication. */
export interface Principal {
  /** Owner of the tasks that this principal sees and creates. */
  readonly owner: string;
  /** When the credentials expire, in ms since the epoch; null for never. */
  readonly expiresAt: number | null;
}

/** The owner that all clients share without authentication. */
export const ANONYMOUS: Principal = { owner: 'anonymous', expiresAt: null };

export const HOW_TO_SEND =
  'Send "Authorization: Bearer <API key or token>", over a WebSocket in the payload of connection_init.';

/** Authentication failed. Message and hint are for the client and contain nothing of the credentials. */
export class UnauthenticatedError extends Error {
  override readonly name: string = 'UnauthenticatedError';
  /** How to fix it. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The credentials are wrong, neither missing nor expired: they may be a guess. */
export class WrongCredentialsError extends UnauthenticatedError {
  override readonly name = 'WrongCredentialsError';
}

/** The credentials are wrong, after too many wrong ones from the same address. */
export class TooManyWrongCredentialsError extends Error {
  override readonly name = 'TooManyWrongCredentialsError';
  /** When the address may retry, in ms. */
  readonly waitMs: number;

  constructor(waitMs: number) {
    super('Too many wrong keys or tokens came from this address.');
    this.waitMs = waitMs;
  }
}

/** The issuer's keys are unavailable, so a token cannot be verified. Already logged. */
export class IssuerUnavailableError extends Error {
  override readonly name = 'IssuerUnavailableError';
}

/**
 * Authenticates the value of an Authorization header, or of `authorization` in connection_init. Rejects with
 * UnauthenticatedError, TooManyWrongCredentialsError (counted by address) or IssuerUnavailableError.
 */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Principal>;

/** Verifies a JSON Web Token. Rejects with UnauthenticatedError or IssuerUnavailableError. */
export type VerifyToken = (token: string) => Promise<Principal>;

/** Node.js fires longer timers at once. */
const MAX_DELAY_MS = 0x7fffffff;

/** Calls `run` when the credentials expire. Returns a function that cancels it. */
export function atExpiry({ expiresAt }: Principal, run: () => void): () => void {
  if (expiresAt === null) return () => undefined;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const left = expiresAt - Date.now();
    timer = setTimeout(left > MAX_DELAY_MS ? wait : run, Math.min(Math.max(0, left), MAX_DELAY_MS));
    timer.unref();
  };
  wait();
  return () => {
    clearTimeout(timer);
  };
}
