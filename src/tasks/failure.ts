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

/** Whether the same input may succeed later while nothing was charged for this attempt. */
export function isRetryable(code: ProviderErrorCode): boolean {
  return (
    code === 'RATE_LIMITED' ||
    code === 'MAINTENANCE' ||
    code === 'UNREACHABLE' ||
    code === 'GENERATION_FAILED' ||
    code === 'CANCELLED'
  );
}

/** Failures that we concluded from silence; a true ending that arrives later replaces them. */
export function isPresumed(code: ProviderErrorCode): boolean {
  return code === 'SUBMISSION_UNKNOWN' || code === 'EXPIRED';
}
