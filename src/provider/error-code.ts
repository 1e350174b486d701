import type { ProviderErrorCode, TaskFailure } from '../tasks/failure.ts';

/** kie.ai's own codes: its createTask page, and for 531 and 4030 its callbacks and what clients report. */
const CODES: Readonly<Record<number, ProviderErrorCode>> = {
  400: 'INVALID_INPUT',
  401: 'UNAUTHORIZED',
  402: 'INSUFFICIENT_CREDITS',
  404: 'NOT_FOUND',
  408: 'PROVIDER_TIMEOUT',
  422: 'INVALID_INPUT',
  429: 'RATE_LIMITED',
  433: 'QUOTA_EXCEEDED',
  455: 'MAINTENANCE',
  500: 'SERVER_ERROR',
  501: 'GENERATION_FAILED',
  505: 'FEATURE_DISABLED',
  531: 'GENERATION_FAILED',
};

/** Our word for one of the provider's codes; null stands for one that is no number. */
export function errorCodeOf(code: number | null): ProviderErrorCode {
  return (code === null ? undefined : CODES[code]) ?? 'UNKNOWN';
}

/** The failure that a code of the provider stands for, in its words where it said any. */
export function failureOf(code: number, message: string | null): TaskFailure {
  return {
    code: errorCodeOf(code),
    providerCode: String(code),
    message: message ?? `The provider answered with code ${code} and no message.`,
  };
}
