import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HeaderOf, Signature } from '../../tasks/provider.ts';

/** Accepted clock difference, in seconds. kie.ai documents none; five minutes are common. */
const TOLERANCE_S = 300;

/**
 * Whether one of the keys signed a recent callback for this provider id. kie.ai's page on webhook verification: the header
 * X-Webhook-Timestamp holds Unix time in seconds, and X-Webhook-Signature holds
 * `base64(HMAC-SHA256(key, taskId + "." + timestamp))`. The signature does not cover the body.
 */
export function verifySignature(
  keys: readonly string[],
  providerTaskId: string,
  headerOf: HeaderOf,
  now: number,
): Signature {
  if (keys.length === 0) return 'unknown';
  return isSigned(keys, providerTaskId, headerOf, now) ? 'right' : 'wrong';
}

function isSigned(keys: readonly string[], providerTaskId: string, headerOf: HeaderOf, now: number): boolean {
  const [timestamp, signature] = [headerOf('x-webhook-timestamp'), headerOf('x-webhook-signature')];
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
