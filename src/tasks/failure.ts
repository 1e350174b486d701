/** What the provider said of a task without moving or ending it: told when nothing better comes before its time is over. */
export interface ProviderWords {
  /** Its own code; null when it gave none. */
  readonly providerCode: string | null;
  readonly message: string | null;
  readonly creditsConsumed: number | null;
}

/**
 * Everything that a submission or a generation can fail with: one vocabulary for callers.
 * The first thirteen stand for the provider's own codes, the others for what only a gateway can know.
 */
export const PROVIDER_ERROR_CODES = [
  'UNAUTHORIZED',
  'INSUFFICIENT_CREDITS',
  'NOT_FOUND',
  'PROVIDER_TIMEOUT',
  'INVALID_INPUT',
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
  'MAINTENANCE',
  'SERVER_ERROR',
  'GENERATION_FAILED',
  'FEATURE_DISABLED',
  'UNREACHABLE',
  'UNKNOWN',
  'SUBMISSION_UNKNOWN',
  'EXPIRED',
  'CANCELLED',
] as const;

export type ProviderErrorCode = (typeof PROVIDER_ERROR_CODES)[number];

/** Why a task ended without a video, or why the provider refused to make one. */
export interface TaskFailure {
  readonly code: ProviderErrorCode;
  /** The provider's own code as it came, null when it gave none. */
  readonly providerCode: string | null;
  /** For people; in the provider's words where it said something. */
  readonly message: string;
}

/** What may go well the next time. A task that ended with one of them is over: nothing of it comes later. */
const PASSING: ReadonlySet<ProviderErrorCode> = new Set([
  'RATE_LIMITED',
  'MAINTENANCE',
  'UNREACHABLE',
  'SERVER_ERROR',
  'PROVIDER_TIMEOUT',
  'GENERATION_FAILED',
  'CANCELLED',
]);

/** Whether the same input may succeed later while nothing was charged for this attempt. */
export function isRetryable(code: ProviderErrorCode, creditsConsumed: number | null = null): boolean {
  return PASSING.has(code) && (creditsConsumed ?? 0) <= 0;
}

/** So that such a message has no more than 2,000 characters, as every other one. */
const MAX_WORDS = 1700;

/** A failure that we concluded, with what the provider said last. */
export function concluded(
  said: ProviderWords | null,
  { code, message }: Pick<TaskFailure, 'code' | 'message'>,
): TaskFailure {
  const words = said?.message ?? null;
  return {
    code,
    providerCode: said?.providerCode ?? null,
    message: words === null ? message : `${message} The provider last said: ${cutText(words, MAX_WORDS)}`,
  };
}

/** Failures that we concluded from silence; a true ending that arrives later replaces them. */
export function isPresumed(code: ProviderErrorCode): boolean {
  return code === 'SUBMISSION_UNKNOWN' || code === 'EXPIRED';
}

/** A request that cannot be answered as it was put; shown to the caller with its code and message. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: 'BAD_USER_INPUT' | 'NOT_FOUND' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';
  /** For RATE_LIMITED and SERVICE_UNAVAILABLE: when to come back, in ms. */
  readonly retryAfterMs: number | null;

  constructor(code: RequestError['code'], message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** At most `max` characters of a text of somebody else, without NUL and lone surrogates, which no store takes. */
export function cutText(text: string, max: number): string {
  // Not between the halves of a surrogate pair.
  const whole = text.length > max ? text.slice(0, max).replace(/[\ud800-\udbff]$/, '') : text;
  return whole.replace(/[\0\p{Surrogate}]/gu, '\ufffd');
}
