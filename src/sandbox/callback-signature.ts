import { createHmac } from 'node:crypto';

/**
 * The headers that prove where a callback comes from (kie.ai docs: "Webhook verification"): the time of
 * sending in Unix seconds, and the HMAC-SHA256 of `taskId.timestamp` in base64. The body is not covered.
 */
export function signatureHeaders(hmacKey: string, taskId: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  return {
    'x-webhook-timestamp': timestamp,
    'x-webhook-signature': createHmac('sha256', hmacKey).update(`${taskId}.${timestamp}`).digest('base64'),
  };
}
