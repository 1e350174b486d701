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
  /** null when no tokens are accepted. */
  readonly verifyToken: VerifyToken | null;
  /** Counts wrong credentials of an address; returns how many ms to wait when there were too many. */
  readonly countWrong: CountWrong;
}

export type CountWrong = (address: string) => Promise<number | null>;

const MISSING = 'No API key or token was sent.';
const MALFORMED = 'Authorization is not of the form "Bearer <API key or token>".';
const UNKNOWN = 'This API key is not known here.';

/**
 * One way to find out who asks, for every door. Without keys and tokens everybody is the same anonymous owner. Right
 * credentials are taken however many wrong ones came from the same address, so that nobody can shut somebody else out.
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

/** Three base64url parts; an API key may hold dots as well, and is looked up first. */
function isJwt(credential: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);
}

interface ApiKey {
  readonly owner: string;
  readonly key: string;
}

/** Whose key it is; null when it is nobody's. Takes the same time whichever key is given, and whether it is one. */
export function createApiKeys(keys: readonly ApiKey[]): (key: string) => Principal | null {
  const known = keys.map(({ key, owner }) => ({
    principal: { owner, expiresAt: null },
    digest: digestOf(key),
  }));
  return (key) => {
    const given = digestOf(key);
    // All are compared, and digests, so that neither the place in the list nor the length can be measured.
    const matches = known.filter(({ digest }) => timingSafeEqual(digest, given));
    return matches[0]?.principal ?? null;
  };
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/**
 * The API key or token in the value of an Authorization header: one word of visible ASCII, with "Bearer" (RFC 6750) before
 * it or alone. undefined when it is anything else.
 */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^(?:Bearer +)?([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
}

/** The member `authorization`, in any letter case, of something that a client sent; undefined when it is no text or blank. */
export function authorizationIn(members: unknown): string | undefined {
  if (typeof members !== 'object' || members === null) return undefined;
  const named = Object.entries(members).find(([name]) => name.toLowerCase() === 'authorization');
  const given: unknown = named?.[1];
  return typeof given === 'string' && given.trim() !== '' ? given : undefined;
}
