/** Who asks, once it is known. */
export interface Principal {
  /** Whose tasks the caller sees, and under whose name new ones are made. */
  readonly owner: string;
  /** When the proof of that ends, in ms since the epoch; null when it does not. */
  readonly expiresAt: number | null;
}

/** Nobody is asked who they are: all share the tasks of one owner. */
export const ANONYMOUS: Principal = { owner: 'anonymous', expiresAt: null };

/** How to send credentials. */
export const HOW_TO_SEND =
  'Send "Authorization: Bearer <API key or token>"; over a WebSocket the same in the payload of connection_init.';

/** The credentials do not show who asks. Message and hint are fit for whoever sent them, and have nothing of what they sent. */
export class UnauthenticatedError extends Error {
  override readonly name: string = 'UnauthenticatedError';
  /** How to mend it. */
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Nobody's credentials, so that they may be a guess: neither missing nor expired. */
export class WrongCredentialsError extends UnauthenticatedError {
  override readonly name = 'WrongCredentialsError';
}

/** Too many wrong credentials came from the same address, and these are wrong as well. */
export class TooManyWrongCredentialsError extends Error {
  override readonly name = 'TooManyWrongCredentialsError';
  /** When the next ones are looked at as usual. */
  readonly waitMs: number;

  constructor(waitMs: number) {
    super('Too many wrong keys or tokens came from this address.');
    this.waitMs = waitMs;
  }
}

/** The issuer's keys cannot be had, so nobody can say whether a token is valid. Reported in the log already. */
export class IssuerUnavailableError extends Error {
  override readonly name = 'IssuerUnavailableError';
}

/**
 * Finds out who asks from the value of an Authorization header, or of the same in a socket's connection_init, and from
 * which address, as it is counted. Rejects with UnauthenticatedError, which never says which part of a secret was wrong; with
 * TooManyWrongCredentialsError; with IssuerUnavailableError when the issuer of tokens cannot be asked.
 */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Principal>;

/**
 * Finds out whom a JSON Web Token names. Rejects with UnauthenticatedError or IssuerUnavailableError.
 */
export type VerifyToken = (token: string) => Promise<Principal>;

/** setTimeout fires longer delays at once. */
const MAX_DELAY_MS = 0x7fffffff;

/** Calls `run` once when the caller's proof ends, never when it does not. Returns how to give that up. */
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
