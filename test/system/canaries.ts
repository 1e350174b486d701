import { SignJWT } from 'jose';
import { randomBytes } from 'node:crypto';

/** Secrets that are found wherever they turn up; with characters that look different in URLs. */
export function canary(name: string): string {
  return `canary/${name}+${randomBytes(16).toString('hex')}=`;
}

/** What a gateway is given to keep, and what its callers send. */
export interface Canaries {
  readonly kieKey: string;
  readonly hmacKeys: readonly [string, string];
  readonly annsKey: string;
  readonly bobsKey: string;
  readonly jwtSecret: string;
  readonly token: string;
  readonly databasePassword: string;
  /** Sent where a key belongs, and nobody's. */
  readonly wrongKey: string;
  readonly expiredToken: string;
}

export async function createCanaries(): Promise<Canaries> {
  const jwtSecret = canary('jwt-secret');
  return {
    kieKey: canary('kie'),
    hmacKeys: [canary('hmac-new'), canary('hmac-old')],
    annsKey: canary('ann'),
    bobsKey: canary('bob'),
    jwtSecret,
    token: await tokenOf('carol', '1h', jwtSecret),
    databasePassword: canary('database'),
    wrongKey: canary('wrong'),
    expiredToken: await tokenOf('dave', '-1h', jwtSecret),
  };
}

export function environmentOf({ annsKey, bobsKey, hmacKeys, jwtSecret, kieKey }: Canaries) {
  return {
    KIE_API_KEY: kieKey,
    KIE_WEBHOOK_HMAC_KEYS: hmacKeys.join(','),
    API_KEYS: `ann:${annsKey},bob:${bobsKey}`,
    JWT_SECRET: jwtSecret,
  };
}

/** The names of those that a text holds, in whatever spelling. */
export function namesFound(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    spellingsOf(secret).some((spelling) => text.includes(spelling)) ? [name] : [],
  );
}

export function namedSecrets(canaries: Canaries): Readonly<Record<string, string>> {
  const { hmacKeys, ...others } = canaries;
  return { ...others, newHmacKey: hmacKeys[0], oldHmacKey: hmacKeys[1] };
}

/** As it is, in JSON, in URLs, as numbers of bytes, and in base64 wherever it begins in a longer text. */
function spellingsOf(secret: string): string[] {
  const based = [0, 1, 2].flatMap((shift) => {
    const bytes = Buffer.from('x'.repeat(shift) + secret);
    // Without the ends, which depend on what stands beside it.
    const cut = (text: string): string => text.slice(4, -4);
    return [cut(bytes.toString('base64')), cut(bytes.toString('base64url'))];
  });
  const numbers = [...Buffer.from(secret)].join(',');
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), numbers, ...based];
}

function tokenOf(owner: string, expiry: string, secret: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(owner)
    .setExpirationTime(expiry)
    .sign(new TextEncoder().encode(secret));
}
