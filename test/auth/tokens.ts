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

/** The part of a token that holds this. */
export function part(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}

/** A pair of keys of an issuer. */
export interface SigningKey {
  readonly kid: string;
  /** The public one, as it is published. */
  readonly jwk: JWK;
  readonly publicKey: CryptoKey;
  /** A token that is signed with the private one and names it, unless `header` says otherwise. */
  sign(content?: Claims, header?: object): Promise<string>;
}

export async function createSigningKey(alg = 'ES256'): Promise<SigningKey> {
  const kid = randomUUID();
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    kid,
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    publicKey,
    sign: (content = claims(), header = {}) => signed(privateKey, { alg, kid, ...header }, content),
  };
}
