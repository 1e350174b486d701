import { createPublicKey, type JsonWebKey } from 'node:crypto';

/** jose refuses shorter RSA keys with an error that is not the token's: RFC 7518, 3.3. */
const MIN_RSA_BITS = 2048;

export interface UsableKeys {
  readonly keys: readonly object[];
  /** What is wrong with the others, by their place in the set. */
  readonly problems: readonly string[];
}

/** The keys of a JSON Web Key Set that can verify a signature. One that cannot must not stand in the way of the others. */
export function usableKeys(keys: readonly unknown[]): UsableKeys {
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
