import type { TaskUpdate } from './apply-update.ts';
import type { ProviderWords, TaskFailure } from './failure.ts';
import type { TaskInput } from './task.ts';

/**
 * How a create call ended. The difference between "not now" and "unknown" is money: only the first may be sent again.
 * - accepted: the provider has the task, under this id.
 * - refused: the provider said no; nothing was created and nothing will be.
 * - not-now: nothing was created, but the same call may succeed later.
 * - unknown: the provider may or may not have taken it; it must never be sent again.
 */
export type CreateOutcome =
  | { readonly kind: 'accepted'; readonly providerTaskId: string }
  | { readonly kind: 'refused'; readonly failure: TaskFailure }
  | {
      readonly kind: 'not-now';
      readonly failure: TaskFailure;
      readonly retryAfterMs: number | null;
      /** No call was made: the last ones did not reach the provider. */
      readonly isHeldBack?: true;
    }
  | {
      readonly kind: 'unknown';
      readonly reason: string;
      /** What it answered, if it did. */
      readonly said?: ProviderWords;
    };

/**
 * What a query of one task brought.
 * - update: the provider's word on the task; callbackUrl is the address it was created with, null where not shown.
 * - running: the provider knows the task and it is not finished, in a way that moves nothing here.
 * - nothing: no word on the task (not visible yet, limited, unreachable, broken): ask later.
 */
export type QueryAnswer =
  | { readonly kind: 'update'; readonly update: TaskUpdate; readonly callbackUrl: string | null }
  | {
      readonly kind: 'running';
      readonly reason: string;
      readonly callbackUrl: string | null;
      readonly said?: ProviderWords;
    }
  | {
      readonly kind: 'nothing';
      readonly reason: string;
      /** Absent when nobody answered. */
      readonly said?: ProviderWords;
      /** No call was made: the last ones were not answered. */
      readonly isHeldBack?: true;
    };

/** The service that makes the videos. No method throws for anything that the network or the service does. */
export interface Provider {
  /** Sends exactly one create call; callbackUrl null asks for no callbacks. */
  createTask(input: TaskInput, callbackUrl: string | null): Promise<CreateOutcome>;
  queryTask(providerTaskId: string): Promise<QueryAnswer>;
  /** The account's remaining credits; null when they cannot be had right now. */
  credits(): Promise<number | null>;
  /** Ends queries under way, which then bring nothing; create calls go on to their end. */
  close(): Promise<void>;
}
