import { STATUS_CODES } from 'node:http';

/** The media type of a problem's JSON. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Members beside the standard ones; `hint` is a sentence that says how to mend it. */
export interface ProblemExtras {
  readonly hint?: string;
  readonly [member: string]: unknown;
}

/** Problem details (RFC 9457): the body of an HTTP answer that refuses. */
export interface Problem extends ProblemExtras {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
}

/**
 * The problem for an HTTP status; its title is the status's own phrase. `detail` is shown to whoever asked: it
 * must not tell a secret. Extras cannot replace the standard members.
 */
export function problem(status: number, detail?: string, extras: ProblemExtras = {}): Problem {
  return {
    ...extras,
    type: 'about:blank',
    title: STATUS_CODES[status] ?? `HTTP ${status}`,
    status,
    ...(detail !== undefined && { detail }),
  };
}
