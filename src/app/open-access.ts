import type { Logger } from 'pino';
import { createAuthenticate, type CountWrong } from '../auth/authenticate.ts';
import type { Authenticate, VerifyToken } from '../auth/principal.ts';
import type { FetchKeysOptions, JwtOptions } from '../auth/jwt.ts';
import { type Config, isOpen } from '../config/config.ts';
import { createRateLimit } from '../limits/rate.ts';
import { fetchThrough, proxyFor } from '../providers/proxy.ts';
import { createOccasionalLog } from '../tasks/log.ts';

/** How callers prove who they are, and whether they have to. */
export interface Access {
  readonly authenticate: Authenticate;
  /** Counts the wrong keys and tokens of each address, those of the metrics and of callbacks as well. */
  readonly countWrong: CountWrong;
  /** Nobody is asked. */
  readonly isOpen: boolean;
}

/** So many of one address are answered with 401; after that, wrong ones are told to wait. */
const MAX_WRONG_PER_MINUTE = 300;

export async function openAccess(config: Config, now: () => number, log: Logger): Promise<Access> {
  const { apiKeys } = config;
  const countWrong = createCountWrong(log);
  const jwt = jwtOf(config, {
    now,
    reportFailure: (reason) => {
      log.error({ reason }, 'the keys of the issuer of tokens cannot be loaded; the known ones stay in use');
    },
    reportUnusable: (problems) => {
      log.warn({ problems }, 'some keys of the issuer of tokens cannot be used and are left out');
    },
  });
  const verifyToken = jwt && (await verifierOf(jwt));
  const authenticate = createAuthenticate({ apiKeys, verifyToken, countWrong });
  return { authenticate, countWrong, isOpen: isOpen(config) };
}

/** Logs the addresses that are told to wait: somebody guesses there, or a program has an old key. */
function createCountWrong(log: Logger): CountWrong {
  const warnings = createOccasionalLog(log);
  // Loaded for the first wrong one: most gateways never see any.
  let limit: Promise<CountWrong> | undefined;
  return async (address) => {
    limit ??= createRateLimit(MAX_WRONG_PER_MINUTE, 60_000);
    const waitMs = await (await limit)(address);
    if (waitMs !== null)
      warnings.warn(
        'wrong',
        { address },
        'too many wrong keys, tokens or callbacks come from an address; wrong ones get 429, right ones pass',
      );
    return waitMs;
  };
}

/** Loaded only where tokens are taken: it brings a library of cryptography. */
async function verifierOf(jwt: JwtOptions): Promise<VerifyToken> {
  const { createJwtVerifier } = await import('../auth/jwt.ts');
  return createJwtVerifier(jwt);
}

function jwtOf(config: Config, surroundings: FetchKeysOptions): JwtOptions | null {
  const { jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret } = config;
  const common = { issuer: jwtIssuer, audience: jwtAudience, ...surroundings };
  if (jwtJwksUrl !== null)
    return { keys: { jwksUrl: jwtJwksUrl, fetch: fetchThrough(proxyFor(jwtJwksUrl, config)) }, ...common };
  return jwtSecret.length === 0 ? null : { keys: { secrets: jwtSecret }, ...common };
}
