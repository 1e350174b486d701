import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyOptions } from 'jose';
import { UnauthenticatedError, type Caller } from './caller.ts';

export interface JwtOptions {
  /** Where the issuer publishes its keys, or the secret that it shares with us. */
  readonly keys: { readonly jwksUrl: string } | { readonly secret: string };
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly now: () => number;
}

/** How far the issuer's clock may be from ours, in seconds. */
const CLOCK_TOLERANCE_S = 5;
/** What an issuer with public keys may sign with: an HMAC of a public key is a classic forgery. */
const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** Checks a JSON Web Token: signature, `exp`, `nbf` and, where configured, issuer and audience. The owner is `sub`. */
export function createJwtVerifier({
  audience,
  issuer,
  keys,
  now,
}: JwtOptions): (token: string) => Promise<Caller> {
  const options = (): JWTVerifyOptions => ({
    algorithms: 'secret' in keys ? ['HS256'] : PUBLIC_KEY_ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_S,
    requiredClaims: ['sub', 'exp'],
    currentDate: new Date(now()),
    ...(issuer !== null && { issuer }),
    ...(audience !== null && { audience }),
  });
  const verify = createVerify(keys);

  return async (token) => {
    try {
      const { payload } = await verify(token, options());
      if (payload.sub === undefined || payload.sub === '' || payload.exp === undefined)
        throw new UnauthenticatedError('The token names nobody in its claim "sub".');
      return { owner: payload.sub, expiresAt: payload.exp * 1000 };
    } catch (error) {
      throw toUnauthenticated(error);
    }
  };
}

type Verify = (token: string, options: JWTVerifyOptions) => ReturnType<typeof jwtVerify>;

function createVerify(keys: JwtOptions['keys']): Verify {
  if ('secret' in keys) {
    const secret = new TextEncoder().encode(keys.secret);
    return (token, options) => jwtVerify(token, secret, options);
  }
  // Keys are kept for ten minutes; an unknown key id asks again, at most every thirty seconds.
  const jwks = createRemoteJWKSet(new URL(keys.jwksUrl));
  return (token, options) => jwtVerify(token, jwks, options);
}

/** Errors of the token are the caller's; that the issuer's keys cannot be had is ours. */
function toUnauthenticated(error: unknown): unknown {
  if (error instanceof errors.JWTExpired)
    return new UnauthenticatedError('The token has expired; bring a new one.');
  if (error instanceof errors.JWKSTimeout) return error;
  if (error instanceof errors.JOSEError) return new UnauthenticatedError('The token is not valid here.');
  return error;
}
