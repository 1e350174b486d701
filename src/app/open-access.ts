import type { Logger } from 'pino';
import { createAuthenticate, type CountWrong } from '../auth/authenticate.ts';
import type { Authenticate, VerifyToken } from '../auth/principal.ts';
import type { Config } from '../config/config.ts';
import { createRateLimit } from '../limits/rate.ts';
import { fetchThrough, proxyFor } from '../providers/proxy.ts';
import { createOccasionalLog } from '../tasks/log.ts';

/** Wrong credentials of one address that get 401 in a minute; more get 429. */
const MAX_WRONG_PER_MINUTE = 300;

export async function openAccess(
  config: Config,
  now: () => number,
  log: Logger,
): Promise<{
  readonly authenticate: Authenticate;
  /** Counts wrong keys and tokens per address, including those of /metrics and callbacks. */
  readonly countWrong: CountWrong;
}> {
  const { apiKeys } = config;
  const countWrong = createCountWrong(log);
  const verifyToken = await openVerifyToken(config, now, log);
  return { authenticate: createAuthenticate({ apiKeys, verifyToken, countWrong }), countWrong };
}

function createCountWrong(log: Logger): CountWrong {
  const warnings = createOccasionalLog(log);
  // Imported with the first wrong credential: most gateways never see one.
  let limit: Promise<CountWrong> | undefined;
  return async (address) => {
    limit ??= createRateLimit(MAX_WRONG_PER_MINUTE, 60_000);
    const waitMs = await (await limit)(address);
    if (waitMs !== null)
      warnings.warn(
        'wrong',
        { address },
        'too many wrong keys, tokens or callbacks from one address; further wrong ones get 429, valid ones pass',
      );
    return waitMs;
  };
}

/** null if tokens are not configured; then jose is not imported. */
async function openVerifyToken(config: Config, now: () => number, log: Logger): Promise<VerifyToken | null> {
  const { jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret } = config;
  if (jwtJwksUrl === null && jwtSecret.length === 0) return null;
  const { createJwtVerifier } = await import('../auth/jwt.ts');
  return createJwtVerifier({
    keys:
      jwtJwksUrl === null
        ? { secrets: jwtSecret }
        : { jwksUrl: jwtJwksUrl, fetch: fetchThrough(proxyFor(jwtJwksUrl, config)) },
    issuer: jwtIssuer,
    audience: jwtAudience,
    now,
    reportFailure: (reason) => {
      log.error({ reason }, "fetching the token issuer's keys failed; the known keys stay valid");
    },
    reportUnusable: (problems) => {
      log.warn({ problems }, 'ignored unusable keys of the token issuer');
    },
  });
}
