// Not that of the browser, which plain HTTP from another machine does not have.
import { v4 as newKey } from 'uuid';
import { change, RequestFailed } from '../api/client.ts';
import { takeTasks } from '../api/known-tasks.ts';
import { CreateTask, type CreateInput, type CreateResult } from '../api/operations.ts';

const PREFIX = 'kineograph.attempt.';
const RETRY_MS = 2000;

/** A wish for a video under a key of its own, so that however often it is sent there is one task. */
export interface Attempt {
  readonly input: CreateInput & { readonly idempotencyKey: string };
}

/** The attempt of a place of the page whose outcome is not known yet: from before a reload, or a lost connection. */
export function pendingAttempt(place: string): Attempt | null {
  const kept = sessionStorage.getItem(PREFIX + place);
  return kept === null ? null : (JSON.parse(kept) as Attempt);
}

/** For somebody who leaves: what they had begun is not the next one's. */
export function forgetAttempts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}

/** The same attempt for as long as the input stays the same and nobody knows what became of it. */
export function attemptFor(place: string, input: CreateInput): Attempt {
  const pending = pendingAttempt(place);
  if (pending && isSame(pending.input, input)) return pending;
  const attempt = { input: { ...input, idempotencyKey: newKey() } };
  sessionStorage.setItem(PREFIX + place, JSON.stringify(attempt));
  return attempt;
}

function isSame({ idempotencyKey, ...kept }: Attempt['input'], input: CreateInput): boolean {
  return JSON.stringify({ ...kept, idempotencyKey }) === JSON.stringify({ ...input, idempotencyKey });
}

/**
 * Sends an attempt until there is an answer; `onUnsure` is told when there was none. Throws RequestFailed when the gateway
 * says that it cannot do so now: the attempt is kept, and sending it again is safe.
 */
export async function send(place: string, { input }: Attempt, onUnsure: () => void): Promise<CreateResult> {
  while (pendingAttempt(place)?.input.idempotencyKey === input.idempotencyKey) {
    try {
      const { createImageToVideo: result } = await change(CreateTask, { input });
      sessionStorage.removeItem(PREFIX + place);
      if (result.__typename === 'CreateImageToVideoSuccess') takeTasks([result.task]);
      return result;
    } catch (error) {
      if (!(error instanceof RequestFailed) || error.said !== null) throw error;
      onUnsure();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  // Who had begun it has left.
  throw new RequestFailed('given up');
}
