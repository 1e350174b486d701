/** Who asks, once it is known. */
export interface Caller {
  /** Whose tasks the caller sees, and under whose name new ones are made. */
  readonly owner: string;
  /** When the proof of that ends, in ms since the epoch; null when it does not. */
  readonly expiresAt: number | null;
}

/** Nobody is asked who they are: all share the tasks of one owner. */
export const ANONYMOUS: Caller = { owner: 'anonymous', expiresAt: null };

/** The credentials do not show who asks. The message is fit for whoever sent them. */
export class UnauthenticatedError extends Error {
  override readonly name = 'UnauthenticatedError';
}

/**
 * Finds out who asks from the value of an Authorization header, or of the same in a socket's connection_init.
 * Rejects with UnauthenticatedError, which never says which part of a secret was wrong; with any other error when the
 * issuer of tokens cannot be asked.
 */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/**
 * Finds out whom a JSON Web Token names. Rejects with UnauthenticatedError, or with any other error when the issuer's keys
 * cannot be had.
 */
export type VerifyToken = (token: string) => Promise<Caller>;
