import { createHmac, timingSafeEqual } from 'node:crypto';

/** Accepted clock difference, in seconds. kie.ai documents none; five minutes are common. */
const TOLERANCE_S = 300;

/** The two headers of a signed callback. */
export interface SignatureHeaders {
  /** X-Webhook-Timestamp: Unix time in seconds. */
  readonly timestamp: string | undefined;
  /** X-Webhook-Signature. */
  readonly signature: string | undefined;
}

/**
 * Whether one of the keys signed a recent callback for this provider id. kie.ai's page on webhook verification:
 * `base64(HMAC-SHA256(key, taskId + "." + timestamp))`. The signature does not cover the body.
 */
export function verifySignature(
  keys: readonly string[],
  providerTaskId: string,
  { signature, timestamp }: SignatureHeaders,
  now: number,
): boolean {
  if (signature === undefined || timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const given = Buffer.from(signature, 'base64');
  // Constant time: every key is tried.
  return keys.map((key) => isSignedWith(key, `${providerTaskId}.${timestamp}`, given)).includes(true);
}

function isSignedWith(key: string, message: string, given: Buffer): boolean {
  const expected = createHmac('sha256', key).update(message).digest();
  return expected.length === given.length && timingSafeEqual(expected, given);
}
