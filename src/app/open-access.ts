import type { Logger } from 'pino';
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

export function openAccess(config: Config, now: () => number, log: Logger): Access {
  const { apiKeys } = config;
  const report = (error: unknown): void => {
    log.error(
      { err: error },
      'the keys of the issuer of tokens could not be loaded anew; the known ones stay',
    );
  };
  const jwt = jwtOf(config, { now, report });
  return { authenticate: createAuthenticate({ apiKeys, jwt }), isOpen: apiKeys.length === 0 && jwt === null };
}

function jwtOf(
  { jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret }: Config,
  surroundings: Pick<JwtOptions, 'now' | 'report'>,
): JwtOptions | null {
  const common = { issuer: jwtIssuer, audience: jwtAudience, ...surroundings };
  if (jwtJwksUrl !== null) return { keys: { jwksUrl: jwtJwksUrl }, ...common };
  return jwtSecret.length === 0 ? null : { keys: { secrets: jwtSecret }, ...common };
}
