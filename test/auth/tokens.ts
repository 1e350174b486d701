import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import { randomUUID } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

/** A secret that is long enough for JWT_SECRET. */
export const SECRET = 'a-secret-of-the-tests-with-more-than-32-characters';

/** When it will be so many seconds later, as tokens say it; parts of a second are allowed. */
export function inSeconds(seconds: number): number {
  return Date.now() / 1000 + seconds;
}

/** What a good token says, for an hour; `undefined` leaves a claim out. */
export function claims(overrides: Claims = {}): Claims {
  return { sub: 'ada', exp: inSeconds(3600), ...overrides };
}

/** A token as an issuer with a shared secret makes it. */
export function signWith(secret: string, content: Claims = claims(), header: object = {}): Promise<string> {
  return signed(new TextEncoder().encode(secret), { alg: 'HS256', ...header }, content);
}

/** A token whose header and content nobody has looked at. */
export function signed(
  key: CryptoKey | Uint8Array,
  header: { readonly alg: string; readonly [name: string]: unknown },
  content: Claims,
): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  return new CompactSign(bytes).setProtectedHeader(header).sign(key);
}

export type SigningKey = Awaited<ReturnType<typeof createSigningKey>>;

/** A pair of keys of an issuer; `jwk` is the public one, as it is published. */
export async function createSigningKey(alg = 'ES256') {
  const kid = randomUUID();
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } satisfies JWK,
    publicKey,
    /** A token that is signed with the private one and names it, unless `header` says otherwise. */
    sign: (content = claims(), header: object = {}) => signed(privateKey, { alg, kid, ...header }, content),
  };
}
