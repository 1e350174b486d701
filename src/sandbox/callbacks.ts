import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Envelope, Log } from './envelope.ts';
import { createHmac } from 'node:crypto';

/** How callbacks are sent. */
interface CallbackOptions {
  /** '' sends no signature: kie.ai signs only once a key has been made (docs: "Webhook verification"). */
  readonly hmacKey: string;
  /** The receiver's time to answer, per attempt. */
  readonly timeoutMs: number;
  /** The pause before each repetition, in milliseconds; as many repetitions as there are pauses. */
  readonly retryDelaysMs: readonly number[];
  /** Aborted when the sandbox closes; ends the pauses. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

/** One completion to be told. */
export interface Callback {
  readonly taskId: string;
  readonly url: string;
  readonly body: Envelope;
  readonly signed: boolean;
}

/** Sends callbacks. */
export interface CallbackSender {
  /**
   * Resolves to true once the receiver has answered 2xx, to false when it would not after all repetitions
   * (kie.ai docs, sibling APIs: 15 s to answer, silence after three failed retries). Rejects when the
   * sandbox closes meanwhile.
   */
  send(callback: Callback): Promise<boolean>;
  /** Cuts every connection; to be called once `closing` is aborted. */
  close(): Promise<void>;
}

/** A sender with connections of its own. */
export function createCallbackSender(options: CallbackOptions): CallbackSender {
  const agent = new Agent();

  async function attempt({ taskId, url, body, signed }: Callback): Promise<string | null> {
    const signature =
      signed && options.hmacKey !== '' ? signatureHeaders(options.hmacKey, taskId, Date.now()) : {};
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'kineograph-sandbox', ...signature },
        body: JSON.stringify(body),
        dispatcher: agent,
        signal: AbortSignal.timeout(options.timeoutMs),
      });
      await answer.body.dump();
      return answer.statusCode >= 200 && answer.statusCode < 300 ? null : `HTTP ${answer.statusCode}`;
    } catch (error) {
      options.closing.throwIfAborted();
      return error instanceof Error ? error.message : String(error);
    }
  }

  return {
    async send(callback) {
      const { taskId } = callback;
      for (const delayMs of [0, ...options.retryDelaysMs]) {
        if (delayMs > 0) await sleep(delayMs, undefined, { signal: options.closing });
        const problem = await attempt(callback);
        if (problem === null) return true;
        options.log(`The sandbox could not deliver a callback: ${problem}`, { taskId });
      }
      return false;
    },
    close: () => agent.destroy(),
  };
}

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
