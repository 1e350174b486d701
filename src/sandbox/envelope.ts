/**
 * What every answer of the API is wrapped in. The outcome is `code`; HTTP is 200 even for most errors
 * (kie.ai docs: "Getting Started").
 */
export interface Envelope {
  readonly code: number;
  readonly msg: string;
  readonly data: unknown;
}

/** kie.ai docs: the response codes of the createTask and recordInfo pages, and of sibling APIs (408, 531). */
const MEANINGS: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'You do not have access permissions',
  402: 'Credits insufficient',
  404: 'Not found',
  408: 'The upstream service gave no result for over 10 minutes',
  422: 'Parameter validation failed',
  429: 'Rate limit exceeded',
  433: 'The usage of this sub-key is above its limit',
  455: 'The service is under maintenance',
  500: 'Internal server error',
  501: 'Generation failed',
  505: 'This feature is disabled',
  531: 'Generation failed, credits refunded',
};

/** kie.ai's message for a code; for an undocumented code, a sentence that names it. */
export function meaningOf(code: number): string {
  return MEANINGS[code] ?? `Code ${code}, as the prompt asked for`;
}

/** The request was processed, even if its task failed. */
export function success(data: unknown): Envelope {
  return { code: 200, msg: 'success', data };
}

/** The request was not processed; `msg` says why and how to fix it. */
export function refusal(code: number, msg = meaningOf(code)): Envelope {
  return { code, msg, data: null };
}

export interface RateWindow {
  readonly limit: number;
  /** Whether one more is allowed; only allowed ones count. */
  admit(): boolean;
}

/** Allows at most `limit` within any `windowMs` milliseconds. */
export function createRateWindow(limit: number, windowMs: number): RateWindow {
  let admitted: number[] = [];
  return {
    limit,
    admit() {
      const now = performance.now();
      admitted = admitted.filter((at) => now - at < windowMs);
      if (admitted.length >= limit) return false;
      admitted.push(now);
      return true;
    },
  };
}

/** Reports problems to the operator of the sandbox. */
export type Log = (message: string, details?: object) => void;
