/** The provider's last report that did not change the state. It explains a failure if no final state arrives in time. */
export interface ProviderWords {
  /** The provider's code; null if it reported none. */
  readonly providerCode: string | null;
  readonly message: string | null;
  readonly creditsConsumed: number | null;
}

/** Failure codes that clients see. The first thirteen but MODEL_UNAVAILABLE map the provider's codes; the gateway adds the others. */
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
  'MODEL_UNAVAILABLE',
  'UNREACHABLE',
  'UNKNOWN',
  'SUBMISSION_UNKNOWN',
  'EXPIRED',
  'CANCELLED',
] as const;

export type ProviderErrorCode = (typeof PROVIDER_ERROR_CODES)[number];

/** Why a task failed, or why the provider refused it. */
export interface TaskFailure {
  readonly code: ProviderErrorCode;
  /** The provider's code, unchanged; null if it reported none. */
  readonly providerCode: string | null;
  /** The provider's message, if it sent one. */
  readonly message: string;
}

/** Failures after which the same input may succeed. */
const RETRYABLE: ReadonlySet<ProviderErrorCode> = new Set([
  'RATE_LIMITED',
  'MAINTENANCE',
  'UNREACHABLE',
  'SERVER_ERROR',
  'PROVIDER_TIMEOUT',
  'GENERATION_FAILED',
  'CANCELLED',
]);

/** Whether the same input may succeed later, and this task was not charged. */
export function isRetryable(code: ProviderErrorCode, creditsConsumed: number | null = null): boolean {
  return RETRYABLE.has(code) && (creditsConsumed ?? 0) <= 0;
}

/** Keeps the whole message below the 2,000 characters that every message has at most. */
const MAX_WORDS = 1700;

/** A failure that the gateway concludes, with the provider's last report. */
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

/** Whether the gateway concluded the failure from silence. A real outcome that arrives later replaces it. */
export function isPresumed(code: ProviderErrorCode): boolean {
  return code === 'SUBMISSION_UNKNOWN' || code === 'EXPIRED';
}

/** An error that clients see with its code and message. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: 'BAD_USER_INPUT' | 'NOT_FOUND' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';
  /** When to retry, in ms; for RATE_LIMITED and SERVICE_UNAVAILABLE. */
  readonly retryAfterMs: number | null;

  constructor(code: RequestError['code'], message: string, retryAfterMs: number | null = null) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Cuts foreign text to `max` characters and replaces NUL and lone surrogates, which databases refuse. */
export function cutText(text: string, max: number): string {
  // Never split a surrogate pair.
  const whole = text.length > max ? text.slice(0, max).replace(/[\ud800-\udbff]$/, '') : text;
  return whole.replace(/[\0\p{Surrogate}]/gu, '\ufffd');
}
