import {
  ANONYMOUS,
  HOW_TO_SEND,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  WrongCredentialsError,
  type Authenticate,
  type Principal,
  type VerifyToken,
} from './principal.ts';
import { hash, timingSafeEqual } from 'node:crypto';

interface AuthenticationOptions {
  readonly apiKeys: readonly ApiKey[];
  /** null if tokens are not configured. */
  readonly verifyToken: VerifyToken | null;
  /** Counts a wrong credential of an address. Returns ms to wait if there were too many, or null. */
  readonly countWrong: CountWrong;
}

export type CountWrong = (address: string) => Promise<number | null>;

const MISSING = 'No API key or token was sent.';
const MALFORMED = 'Authorization must have the form "Bearer <API key or token>".';
const UNKNOWN = 'The API key is unknown.';

/**
 * Authentication for all transports. Without configured keys and tokens, everybody is ANONYMOUS. Valid credentials pass even
 * after many wrong ones from the same address, so that nobody can lock others out.
 */
export function createAuthenticate(options: AuthenticationOptions): Authenticate {
  const { apiKeys, countWrong, verifyToken } = options;
  if (apiKeys.length === 0 && verifyToken === null) return () => Promise.resolve(ANONYMOUS);
  const ownerOfKey = createApiKeys(apiKeys);

  async function identify(authorization: string | undefined): Promise<Principal> {
    const credential = bearerIn(authorization);
    if (credential === undefined)
      throw new UnauthenticatedError(isBlank(authorization) ? MISSING : MALFORMED, HOW_TO_SEND);
    const principal = ownerOfKey(credential);
    if (principal) return principal;
    if (verifyToken && isJwt(credential)) return verifyToken(credential);
    throw new WrongCredentialsError(UNKNOWN, HOW_TO_SEND);
  }

  return async (authorization, address) => {
    try {
      return await identify(authorization);
    } catch (error) {
      const waitMs = error instanceof WrongCredentialsError ? await countWrong(address) : null;
      throw waitMs === null ? error : new TooManyWrongCredentialsError(waitMs);
    }
  };
}

function isBlank(authorization: string | undefined): boolean {
  return authorization === undefined || authorization.trim() === '';
}

/** Whether a credential has three base64url parts. API keys may have them too, so they are looked up first. */
function isJwt(credential: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);
}

interface ApiKey {
  readonly owner: string;
  readonly key: string;
}

/** Owner of an API key, or null. Constant time. */
export function createApiKeys(keys: readonly ApiKey[]): (key: string) => Principal | null {
  const known = keys.map(({ key, owner }) => ({
    principal: { owner, expiresAt: null },
    digest: digestOf(key),
  }));
  return (key) => {
    const given = digestOf(key);
    // Comparing all digests hides the position and the length of a key.
    const matches = known.filter(({ digest }) => timingSafeEqual(digest, given));
    return matches[0]?.principal ?? null;
  };
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** The credential in an Authorization header: one word of visible ASCII after an optional "Bearer" (RFC 6750). */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^(?:Bearer +)?([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
}

/** The member `authorization` (in any case) of a client's object; undefined if it is blank or not a string. */
export function authorizationIn(members: unknown): string | undefined {
  if (typeof members !== 'object' || members === null) return undefined;
  const named = Object.entries(members).find(([name]) => name.toLowerCase() === 'authorization');
  const given: unknown = named?.[1];
  return typeof given === 'string' && given.trim() !== '' ? given : undefined;
}
