import { client, dataOf, RequestFailed } from '../api/client.ts';
import { takeTasks } from '../api/known-tasks.ts';
import { CreateTask, type CreateInput, type CreateResult } from '../api/operations.ts';

const KEY = 'kineograph.attempt';
const RETRY_MS = 2000;

/** A wish for a video under a key of its own, so that however often it is sent there is one task. */
export interface Attempt {
  readonly input: CreateInput & { readonly idempotencyKey: string };
}

/** The attempt whose outcome is not known yet: from before a reload, or a connection that was lost. */
export function pendingAttempt(): Attempt | null {
  const kept = sessionStorage.getItem(KEY);
  return kept === null ? null : (JSON.parse(kept) as Attempt);
}

/** The same attempt for as long as the input stays the same and nobody knows what became of it. */
export function attemptFor(input: CreateInput): Attempt {
  const pending = pendingAttempt();
  if (pending && isSame(pending.input, input)) return pending;
  const attempt = { input: { ...input, idempotencyKey: crypto.randomUUID() } };
  sessionStorage.setItem(KEY, JSON.stringify(attempt));
  return attempt;
}

function isSame({ idempotencyKey, ...kept }: Attempt['input'], input: CreateInput): boolean {
  return JSON.stringify({ ...kept, idempotencyKey }) === JSON.stringify({ ...input, idempotencyKey });
}

/**
 * Sends an attempt until there is an answer; `onUnsure` is told when there was none. Throws RequestFailed when the gateway
 * says that it cannot do so now: the attempt is kept, and sending it again is safe.
 */
export async function send({ input }: Attempt, onUnsure: () => void): Promise<CreateResult> {
  for (;;) {
    try {
      const { createImageToVideo: result } = dataOf(await client.mutation(CreateTask, { input }).toPromise());
      sessionStorage.removeItem(KEY);
      if (result.__typename === 'CreateImageToVideoSuccess') takeTasks([result.task]);
      return result;
    } catch (error) {
      if (!(error instanceof RequestFailed) || error.said !== null) throw error;
      onUnsure();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
