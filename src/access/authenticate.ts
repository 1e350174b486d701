import { createApiKeys, type ApiKey } from './api-keys.ts';
import { bearerIn } from './bearer.ts';
import {
  ANONYMOUS,
  HOW_TO_SEND,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  WrongCredentialsError,
  type Authenticate,
  type Caller,
  type VerifyToken,
} from './caller.ts';

export interface AuthenticationOptions {
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

  async function identify(authorization: string | undefined): Promise<Caller> {
    const credential = bearerIn(authorization);
    if (credential === undefined)
      throw new UnauthenticatedError(isBlank(authorization) ? MISSING : MALFORMED, HOW_TO_SEND);
    const caller = ownerOfKey(credential);
    if (caller) return caller;
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
