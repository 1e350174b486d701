import { createAuthenticate } from '../access/authenticate.ts';
import type { Authenticate } from '../access/caller.ts';
import type { JwtOptions } from '../access/jwt.ts';
import type { Config } from '../config.ts';

/** How callers prove who they are, and whether they have to. */
export interface Access {
  readonly authenticate: Authenticate;
  /** Nobody is asked. */
  readonly isOpen: boolean;
}

export function openAccess(config: Config, now: () => number): Access {
  const { apiKeys } = config;
  const jwt = jwtOf(config, now);
  return { authenticate: createAuthenticate({ apiKeys, jwt }), isOpen: apiKeys.length === 0 && jwt === null };
}

function jwtOf(
  { jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret }: Config,
  now: () => number,
): JwtOptions | null {
  const common = { issuer: jwtIssuer, audience: jwtAudience, now };
  if (jwtJwksUrl !== null) return { keys: { jwksUrl: jwtJwksUrl }, ...common };
  return jwtSecret === null ? null : { keys: { secret: jwtSecret }, ...common };
}
