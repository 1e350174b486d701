import type { MediaType } from '../models/define-model.ts';
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

/** A parsed callback. */
export interface ProviderCallback {
  /** The provider's code, for the log. */
  readonly code: number;
  /** Every provider task id that it names, without doubles: exactly one in a callback that makes sense. */
  readonly ids: readonly string[];
  /** What it says of the first of them. */
  readonly answer: QueryAnswer;
  /** The callback URL of the create call; null if it is not shown. */
  readonly callbackUrl: string | null;
}

/** 'wrong' includes a missing signature; 'unknown' means that no signature keys are configured. */
export type Signature = 'right' | 'wrong' | 'unknown';

/** The value of a request header by its lower-case name. */
export type HeaderOf = (name: string) => string | undefined;

export interface ProviderLimits {
  readonly createsPerWindow: number;
  /** In ms. Slightly more than the provider's own: it counts arrivals, we count departures. */
  readonly createWindow: number;
  readonly queriesPerSecond: number;
}

/** An image to upload. */
export interface ImageFile {
  readonly contentType: MediaType;
  readonly bytes: number;
  /** Its bytes from the beginning; called again for each attempt. */
  read(): AsyncIterable<Buffer>;
}

export type UploadAnswer =
  | { readonly kind: 'stored'; readonly url: string }
  /** The provider rejected the image and would reject it again. */
  | { readonly kind: 'refused'; readonly message: string }
  /** No usable answer; a later attempt may succeed. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number | null };

/** The video service. Its methods do not reject for errors of the network or the service. */
export interface Provider {
  /** Its short name, in the path of callbacks and in the store. Lower-case letters. */
  readonly name: string;
  /** Sends exactly one create call; without a callbackUrl the provider sends no callbacks. */
  createTask(task: TaskInput, callbackUrl: string | null): Promise<CreateOutcome>;
  queryTask(providerTaskId: string): Promise<QueryAnswer>;
  /** How many calls its account may make. */
  readonly limits: ProviderLimits;
  /** Parses the body of a callback. Returns 'not-json', or 'other' for JSON that is no callback of this provider. */
  parseCallback(body: string): ProviderCallback | 'not-json' | 'other';
  /** Verifies the signature of a callback about this provider task, at `now` in ms since the epoch. */
  verifyCallback(providerTaskId: string, headerOf: HeaderOf, now: number): Signature;
  /** Stores an image under a unique name. */
  upload(file: ImageFile): Promise<UploadAnswer>;
  /** Another URL of a video that its URL no longer serves, valid for minutes; null if the provider gives none. */
  freshUrl(url: string): Promise<string | null>;
  /** The account's remaining credits; null if the provider does not report them. */
  credits(): Promise<number | null>;
  /** Aborts in-flight queries and uploads, which then return 'nothing' and 'unavailable'. Create calls continue. */
  close(): Promise<void>;
}
