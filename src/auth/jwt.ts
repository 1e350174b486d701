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

interface RemoteKeys {
  readonly jwksUrl: string;
  /** In place of the usual one, such as through a proxy. */
  readonly fetch?: FetchImplementation | undefined;
}

export interface JwtOptions extends FetchKeysOptions {
  /** Where the issuer publishes its keys, or the secrets that it shares with us: any of them may match. */
  readonly keys: RemoteKeys | { readonly secrets: readonly string[] };
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** How far the issuer's clock may be from ours, in seconds. */
const CLOCK_TOLERANCE_S = 5;
const KEYS_MAX_AGE_MS = 10 * 60_000;
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

/** What OpenID Connect allows for a `sub`; a name of an owner holds no control characters. */
const SUBJECT = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** Checks signature, `exp`, `nbf` and, where configured, issuer and audience. The owner is `sub`. */
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
      // The library looks for a `sub` but not at it: it can be anything that JSON can say.
      if (exp === undefined || typeof sub !== 'string' || !SUBJECT.test(sub))
        throw new UnauthenticatedError(
          'The claim "sub" of the token names nobody.',
          'It has to be a text of 1 to 255 characters.',
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
 * An unknown key id asks the issuer again, at most every thirty seconds. A key that the issuer has withdrawn is forgotten
 * after ten minutes. That is waited for: the first token after a quiet hour may be the one that was stolen. An issuer
 * that is away keeps nobody out whose key is known.
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
      // Reported already; known keys stay in use.
      reloaded = jwks.reload().catch(() => undefined);
    }
    await reloaded;
    try {
      return (await jwtVerify(token, jwks, verifyOptions)).payload;
    } catch (error) {
      // The token names none of several keys: an issuer that rotates them and leaves out the key id.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return byAnyOf(error, token, verifyOptions);
    }
  };
}

/** By the first key whose signature it is; every other mistake of the token is the same for all. */
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

/** Errors of the library are the token's. Those of the issuer have been told apart by then. */
function toUnauthenticated(error: unknown): unknown {
  if (!(error instanceof errors.JOSEError)) return error;
  // jose gives up on the issuer by itself after 5 s, and looks at the form of its answer.
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid)
    return new IssuerUnavailableError(error.message);
  if (error instanceof errors.JWTExpired)
    return new UnauthenticatedError('The token has expired.', 'Bring a new one.');
  return new WrongCredentialsError(
    'The token is not valid here.',
    'Bring one that its issuer has signed for this gateway.',
  );
}

export interface FetchKeysOptions {
  readonly now: () => number;
  /** Told in one line that the keys cannot be had; those that are known stay in use. */
  readonly reportFailure: (reason: string) => void;
  /** Told which keys of the issuer are left out; once for each set of them. */
  readonly reportUnusable: (problems: readonly string[]) => void;
}

/** How long an issuer that failed is not asked again, in ms: anybody can bring tokens that would have it asked. */
const PAUSE_MS = 1000;

/** Fetches a JSON Web Key Set by `fetch`, without the keys that cannot be used. Rejects with IssuerUnavailableError. */
function createFetchKeys(
  { now, reportFailure, reportUnusable }: FetchKeysOptions,
  fetch: FetchImplementation = globalThis.fetch,
): FetchImplementation {
  let failure: { readonly error: IssuerUnavailableError; readonly until: number } | null = null;
  let reported = '';

  async function fetchUsable(...request: Parameters<FetchImplementation>): Promise<Response> {
    const response = await fetch(...request);
    if (response.status !== 200) throw new Error(`status ${response.status} in place of 200`);
    const set: unknown = await response.json();
    if (!hasKeys(set)) throw new Error('no list of keys in the answer');
    const { keys, problems } = usableKeys(set.keys);
    const told = problems.join();
    if (problems.length > 0 && told !== reported) reportUnusable(problems);
    reported = told;
    return Response.json({ keys });
  }

  return async (...request) => {
    const pause = failure ? failure.until - now() : 0;
    // More than the whole pause is left when the clock has gone back.
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

/** fetch says "fetch failed", and why as the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** jose refuses shorter RSA keys with an error that is not the token's: RFC 7518, 3.3. */
const MIN_RSA_BITS = 2048;

interface UsableKeys {
  readonly keys: readonly object[];
  /** What is wrong with the others, by their place in the set. */
  readonly problems: readonly string[];
}

/** The keys of a JSON Web Key Set that can verify a signature. One that cannot must not stand in the way of the others. */
function usableKeys(keys: readonly unknown[]): UsableKeys {
  const problems: string[] = [];
  const usable = keys.filter((jwk, index): jwk is object => {
    const problem = problemOf(jwk);
    if (problem !== null) problems.push(`key ${index + 1}: ${problem}`);
    return problem === null;
  });
  return { keys: usable, problems };
}

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
