import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Envelope, Log } from './envelope.ts';

interface CallbackOptions {
  /** '' sends no signature: kie.ai signs only once a key exists (docs: "Webhook verification"). */
  readonly hmacKey: string;
  /** The receiver's time to answer each attempt. */
  readonly timeoutMs: number;
  /** The pause before each repetition, in milliseconds. */
  readonly retryDelaysMs: readonly number[];
  /** Aborted when the sandbox closes; ends the pauses. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

interface Callback {
  readonly taskId: string;
  readonly url: string;
  readonly body: Envelope;
  readonly signed: boolean;
}

export interface CallbackSender {
  /**
   * Resolves to whether the receiver answered 2xx to one of the attempts (kie.ai docs, sibling APIs: 15 s to answer, no more
   * after three failed retries). Rejects when the sandbox closes meanwhile.
   */
  send(callback: Callback): Promise<boolean>;
  /** Cuts every connection. Abort `closing` first. */
  close(): Promise<void>;
}

export function createCallbackSender(options: CallbackOptions): CallbackSender {
  const { closing, hmacKey, log, retryDelaysMs, timeoutMs } = options;
  const agent = new Agent();

  async function attempt({ taskId, url, body, signed }: Callback): Promise<string | null> {
    const signature = signed && hmacKey !== '' ? signatureHeaders(hmacKey, taskId, Date.now()) : {};
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'kineograph-sandbox', ...signature },
        body: JSON.stringify(body),
        dispatcher: agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      await answer.body.dump();
      return answer.statusCode >= 200 && answer.statusCode < 300 ? null : `HTTP ${answer.statusCode}`;
    } catch (error) {
      closing.throwIfAborted();
      return error instanceof Error ? error.message : String(error);
    }
  }

  return {
    async send(callback) {
      for (const delayMs of [0, ...retryDelaysMs]) {
        if (delayMs > 0) await sleep(delayMs, undefined, { signal: closing });
        const problem = await attempt(callback);
        if (problem === null) return true;
        log(`The sandbox could not deliver a callback: ${problem}`, { taskId: callback.taskId });
      }
      return false;
    },
    close: () => agent.destroy(),
  };
}

/**
 * The headers that authenticate a callback (kie.ai docs: "Webhook verification"): the time in Unix seconds, and the
 * HMAC-SHA256 of `taskId.timestamp` in Base64. They do not cover the body.
 */
export function signatureHeaders(hmacKey: string, taskId: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  return {
    'x-webhook-timestamp': timestamp,
    'x-webhook-signature': createHmac('sha256', hmacKey).update(`${taskId}.${timestamp}`).digest('base64'),
  };
}
