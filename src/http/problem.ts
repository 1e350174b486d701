import { STATUS_CODES, type ServerResponse } from 'node:http';

/** The media type of a problem's JSON. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Members beside the standard ones; `hint` is a sentence that says how to mend it. */
interface ProblemExtras {
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

/** Answers with a problem. */
export function sendProblem(
  response: ServerResponse,
  refusal: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(refusal);
  const fields = {
    ...headers,
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': Buffer.byteLength(body),
  };
  response.writeHead(refusal.status, fields).end(body);
}

/** The same as a whole HTTP answer, after which the connection ends: for what never becomes a request. */
export function rawAnswer(refusal: Problem, headers: Readonly<Record<string, string>> = {}): string {
  const body = JSON.stringify(refusal);
  const fields = {
    ...headers,
    Connection: 'close',
    'Content-Type': PROBLEM_MEDIA_TYPE,
    'Content-Length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${refusal.status} ${refusal.title}\r\n${lines.join('')}\r\n${body}`;
}
