import { createApiKeys, type ApiKey } from './api-keys.ts';
import { bearerIn } from './bearer.ts';
import { ANONYMOUS, UnauthenticatedError, type Authenticate, type VerifyToken } from './caller.ts';

export interface AuthenticationOptions {
  readonly apiKeys: readonly ApiKey[];
  /** null when no tokens are accepted. */
  readonly verifyToken: VerifyToken | null;
}

const HINT =
  'Send "Authorization: Bearer <API key or token>"; over a WebSocket the same in the payload of connection_init.';

/** One way to find out who asks, for every door. Without keys and tokens everybody is the same anonymous owner. */
export function createAuthenticate({ apiKeys, verifyToken }: AuthenticationOptions): Authenticate {
  if (apiKeys.length === 0 && verifyToken === null) return () => Promise.resolve(ANONYMOUS);
  const ownerOfKey = createApiKeys(apiKeys);

  return async (authorization) => {
    const credential = bearerIn(authorization);
    if (credential === undefined) throw new UnauthenticatedError(`Say who you are. ${HINT}`);
    const caller = ownerOfKey(credential);
    if (caller) return caller;
    if (verifyToken && isJwt(credential)) return verifyToken(credential);
    throw new UnauthenticatedError(`This key is not known here. ${HINT}`);
  };
}

/** Three base64url parts; an API key may hold dots as well, and is looked up first. */
function isJwt(credential: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential);
}
