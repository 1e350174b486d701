import type { TaskUpdate } from './apply-update.ts';
import type { ProviderWords, TaskFailure } from './failure.ts';
import type { TaskInput } from './task.ts';

/**
 * The outcome of a create call. Only 'not-now' may be sent again: repeating 'unknown' may pay twice.
 * - accepted: the provider created the task.
 * - refused: the provider did not create the task, and never will.
 * - not-now: the provider did not create the task, but the same call may succeed later.
 * - unknown: the provider may have created the task.
 */
export type CreateOutcome =
  | { readonly kind: 'accepted'; readonly providerTaskId: string }
  | { readonly kind: 'refused'; readonly failure: TaskFailure }
  | {
      readonly kind: 'not-now';
      readonly failure: TaskFailure;
      readonly retryAfterMs: number | null;
      /** The circuit breaker was open, so no call was made. */
      readonly isHeldBack?: true;
    }
  | {
      readonly kind: 'unknown';
      readonly reason: string;
      /** The provider's response, if there was one. */
      readonly said?: ProviderWords;
    };

/**
 * The result of a query.
 * - update: the provider reports a state. callbackUrl is the URL of the create call; null if not reported.
 * - running: the provider knows the task, but reports no state that we know.
 * - nothing: no information (not visible yet, rate-limited, unreachable, broken response); query again later.
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
      /** Absent if there was no response. */
      readonly said?: ProviderWords;
      /** The circuit breaker was open, so no call was made. */
      readonly isHeldBack?: true;
    };

/** The video service. Its methods do not reject for errors of the network or the service. */
export interface Provider {
  /** Sends exactly one create call; without a callbackUrl the provider sends no callbacks. */
  createTask(input: TaskInput, callbackUrl: string | null): Promise<CreateOutcome>;
  queryTask(providerTaskId: string): Promise<QueryAnswer>;
  /** The account's remaining credits; null if the provider does not report them. */
  credits(): Promise<number | null>;
  /** Aborts in-flight queries, which then return 'nothing'. Create calls continue. */
  close(): Promise<void>;
}
