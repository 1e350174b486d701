import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwtVerify,
  type FetchImplementation,
  type JWTPayload,
  type JWTVerifyOptions,
} from 'jose';
import {
  IssuerUnavailableError,
  UnauthenticatedError,
  WrongCredentialsError,
  type VerifyToken,
} from './principal.ts';
import { createPublicKey, type JsonWebKey } from 'node:crypto';

/** An issuer's key set; `fetch` is the global one unless it is given. */
interface RemoteKeys {
  readonly jwksUrl: string;
  readonly fetch?: FetchImplementation | undefined;
}

interface JwtOptions extends FetchKeysOptions {
  /** Any key or secret may match. */
  readonly keys: RemoteKeys | { readonly secrets: readonly string[] };
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** Accepted clock difference, in seconds. */
const CLOCK_TOLERANCE_S = 5;
const KEYS_MAX_AGE_MS = 10 * 60_000;
/** Without HMAC: signing with the public key as secret is a classic forgery. */
const PUBLIC_KEY_ALGORITHMS = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(' ');

/** At most 255 characters, as in OpenID Connect, without control characters. */
const SUBJECT = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** Verifies signature, `exp` and `nbf`, and issuer and audience if configured. The owner is `sub`. */
export function createJwtVerifier(options: JwtOptions): VerifyToken {
  const { audience, issuer, keys, now } = options;
  const verify = 'secrets' in keys ? bySecrets(keys.secrets) : byPublicKeys(keys, options);

  return async (token) => {
    try {
      const { exp, sub } = await verify(token, {
        algorithms: 'secrets' in keys ? ['HS256'] : PUBLIC_KEY_ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['sub', 'exp'],
        currentDate: new Date(now()),
        ...(issuer !== null && { issuer }),
        ...(audience !== null && { audience }),
      });
      // jose requires a `sub` but accepts any JSON value.
      if (exp === undefined || typeof sub !== 'string' || !SUBJECT.test(sub))
        throw new UnauthenticatedError(
          'The claim "sub" of the token is invalid.',
          'Use a token whose "sub" is a string of 1 to 255 characters without control characters.',
        );
      return { owner: sub, expiresAt: exp * 1000 };
    } catch (error) {
      throw toUnauthenticated(error);
    }
  };
}

type Verify = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

function bySecrets(texts: readonly string[]): Verify {
  const secrets = texts.map((text) => new TextEncoder().encode(text));
  return (token, options) => byAnyOf(secrets, token, options);
}

/**
 * Fetches the key set again for an unknown key id (at most every 30 s), and every ten minutes to drop withdrawn keys. Tokens
 * wait for that fetch: the first after a quiet hour may be stolen. If it fails, the known keys stay valid.
 */
function byPublicKeys({ fetch, jwksUrl }: RemoteKeys, options: JwtOptions): Verify {
  const { now } = options;
  const jwks = createRemoteJWKSet(new URL(jwksUrl), {
    cacheMaxAge: Infinity,
    [customFetch]: createFetchKeys(options, fetch),
  });
  let loadedAt = now();
  let reloaded = Promise.resolve();
  return async (token, verifyOptions) => {
    if (now() - loadedAt >= KEYS_MAX_AGE_MS) {
      loadedAt = now();
      // Already reported; the known keys stay valid.
      reloaded = jwks.reload().catch(() => undefined);
    }
    await reloaded;
    try {
      return (await jwtVerify(token, jwks, verifyOptions)).payload;
    } catch (error) {
      // Several keys match because the token has no key id: try each.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return byAnyOf(error, token, verifyOptions);
    }
  };
}

/** Tries keys until one verifies the signature. Other errors do not depend on the key. */
async function byAnyOf(
  keys: Iterable<Uint8Array> | AsyncIterable<CryptoKey>,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/** Maps errors of jose, which concern the token unless they are handled first. */
function toUnauthenticated(error: unknown): unknown {
  if (!(error instanceof errors.JOSEError)) return error;
  // jose has its own timeout of 5 s for the issuer, and validates the key set.
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid)
    return new IssuerUnavailableError(error.message);
  if (error instanceof errors.JWTExpired)
    return new UnauthenticatedError('The token has expired.', 'Get a new token.');
  return new WrongCredentialsError(
    'The token is invalid.',
    'Use a token that the issuer signed for this gateway.',
  );
}

interface FetchKeysOptions {
  readonly now: () => number;
  /** Called with the reason when fetching the keys failed; the known keys stay valid. */
  readonly reportFailure: (reason: string) => void;
  /** Called with ignored keys of the issuer, once per key set. */
  readonly reportUnusable: (problems: readonly string[]) => void;
}

/** Pause after a failed fetch, because any client can send tokens that cause one. */
const PAUSE_MS = 1000;

/** Fetches a JSON Web Key Set and drops unusable keys. Rejects with IssuerUnavailableError. */
function createFetchKeys(
  { now, reportFailure, reportUnusable }: FetchKeysOptions,
  fetch: FetchImplementation = globalThis.fetch,
): FetchImplementation {
  let failure: { readonly error: IssuerUnavailableError; readonly until: number } | null = null;
  let reported = '';

  async function fetchUsable(...request: Parameters<FetchImplementation>): Promise<Response> {
    const response = await fetch(...request);
    if (response.status !== 200) throw new Error(`status ${response.status} instead of 200`);
    const set: unknown = await response.json();
    if (!hasKeys(set)) throw new Error('the response has no list of keys');
    const judged = set.keys.map((jwk) => ({ jwk, problem: problemOf(jwk) }));
    // An unusable key must not block the others.
    const problems = judged.flatMap(({ problem }, at) =>
      problem === null ? [] : [`key ${at + 1}: ${problem}`],
    );
    const joined = problems.join();
    if (problems.length > 0 && joined !== reported) reportUnusable(problems);
    reported = joined;
    return Response.json({ keys: judged.filter(({ problem }) => problem === null).map(({ jwk }) => jwk) });
  }

  return async (...request) => {
    const pause = failure ? failure.until - now() : 0;
    // `pause` exceeds PAUSE_MS if the clock was set back.
    if (failure && pause > 0 && pause <= PAUSE_MS) throw failure.error;
    try {
      const response = await fetchUsable(...request);
      failure = null;
      return response;
    } catch (error) {
      const reason = reasonOf(error);
      const unavailable = new IssuerUnavailableError(reason);
      failure = { error: unavailable, until: now() + PAUSE_MS };
      reportFailure(reason);
      throw unavailable;
    }
  };
}

function hasKeys(set: unknown): set is { readonly keys: readonly unknown[] } {
  return typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys);
}

/** fetch reports "fetch failed", with the reason as the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** RFC 7518, 3.3. jose throws a TypeError for shorter RSA keys, which is no error of the token. */
const MIN_RSA_BITS = 2048;

/** Why a key cannot verify signatures; null when it can. */
function problemOf(jwk: unknown): string | null {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'not an object';
  if ('d' in jwk || 'k' in jwk) return 'a private or secret key';
  try {
    const { asymmetricKeyDetails, asymmetricKeyType } = createPublicKey({
      key: jwk as JsonWebKey,
      format: 'jwk',
    });
    const bits = asymmetricKeyDetails?.modulusLength;
    if (asymmetricKeyType === 'rsa' && bits !== undefined && bits < MIN_RSA_BITS)
      return `RSA of ${bits} bits, fewer than ${MIN_RSA_BITS}`;
    return null;
  } catch {
    return 'not a public key that Node.js can read';
  }
}
