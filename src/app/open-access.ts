import type { Logger } from 'pino';
import { createAuthenticate, type CountWrong } from '../access/authenticate.ts';
import type { Authenticate, VerifyToken } from '../access/caller.ts';
import type { JwtOptions } from '../access/jwt.ts';
import type { Config } from '../config.ts';
import { isOpen } from './is-open.ts';

/** How callers prove who they are, and whether they have to. */
export interface Access {
  readonly authenticate: Authenticate;
  /** Nobody is asked. */
  readonly isOpen: boolean;
}

export async function openAccess(
  config: Config,
  {
    countWrong,
    log,
    now,
  }: { readonly countWrong: CountWrong; readonly log: Logger; readonly now: () => number },
): Promise<Access> {
  const { apiKeys } = config;
  const report = (error: unknown): void => {
    log.error(
      { err: error },
      'the keys of the issuer of tokens could not be loaded anew; the known ones stay',
    );
  };
  const jwt = jwtOf(config, { now, report });
  const verifyToken = jwt && (await verifierOf(jwt));
  return { authenticate: createAuthenticate({ apiKeys, verifyToken, countWrong }), isOpen: isOpen(config) };
}

/** Loaded only where tokens are taken: it brings a library of cryptography. */
async function verifierOf(jwt: JwtOptions): Promise<VerifyToken> {
  const { createJwtVerifier } = await import('../access/jwt.ts');
  return createJwtVerifier(jwt);
}

function jwtOf(
  { jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret }: Config,
  surroundings: Pick<JwtOptions, 'now' | 'report'>,
): JwtOptions | null {
  const common = { issuer: jwtIssuer, audience: jwtAudience, ...surroundings };
  if (jwtJwksUrl !== null) return { keys: { jwksUrl: jwtJwksUrl }, ...common };
  return jwtSecret.length === 0 ? null : { keys: { secrets: jwtSecret }, ...common };
}
