import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_MEDIA_TYPE, problem, type Problem } from './problem.ts';
import { refusalHeaders, refusalHint, type Refusal } from '../limits/refusal.ts';

/** Why a request to the GraphQL endpoint is not processed. */
export interface GraphqlRefusal {
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly hint?: string;
  /** When to come back, in seconds. */
  readonly retryAfterS?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ofRefusal(refusal: Refusal): GraphqlRefusal {
  const { code, message, retryAfterS, status } = refusal;
  const hint = refusalHint(refusal);
  return {
    status,
    message,
    code,
    headers: refusalHeaders(refusal),
    ...(hint !== null && { hint }),
    ...(retryAfterS !== null && { retryAfterS }),
  };
}

/** The same refusal for GraphQL clients. */
export function ofProblem(
  { code = 'BAD_REQUEST', detail, hint, status, title }: Problem,
  headers: Readonly<Record<string, string>> = {},
): GraphqlRefusal {
  return {
    status,
    message: detail ?? title,
    code: String(code),
    headers,
    ...(hint !== undefined && { hint }),
  };
}

/**
 * Refuses a request with problem details that are a GraphQL response as well: without `errors`, GraphQL clients would take
 * them for a success without data.
 */
export function sendGraphqlRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { code, headers = {}, hint, message, retryAfterS, status }: GraphqlRefusal,
): void {
  if (response.closed || response.destroyed) return;
  const extensions = {
    code,
    ...(hint !== undefined && { hint }),
    ...(retryAfterS !== undefined && { retryAfter: retryAfterS }),
  };
  const body = JSON.stringify({
    errors: [{ message, extensions }],
    ...problem(status, message, extensions),
  });
  response.writeHead(status, {
    ...headers,
    'content-type': `${mediaTypeFor(request.headers.accept ?? '')}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Apollo Client reads errors of a 4xx answer only from the first of these types, and others parse no unknown type. */
function mediaTypeFor(accept: string): string {
  const known = ['application/graphql-response+json', 'application/json'];
  return known.find((type) => accept.includes(type)) ?? PROBLEM_MEDIA_TYPE;
}

/** Requests that are refused by their address or headers. */
export const REFUSALS = {
  elsewhere: {
    status: 404,
    message: 'There is nothing here.',
    code: 'BAD_REQUEST',
    hint: 'The API is at /graphql, for sockets and event streams as well.',
  },
  lostUpgrade: {
    status: 426,
    message: 'This WebSocket handshake arrived without its Upgrade header.',
    code: 'BAD_REQUEST',
    hint: 'Have the proxy in between pass on the headers Upgrade and Connection.',
    headers: { upgrade: 'websocket', connection: 'Upgrade' },
  },
  method: {
    status: 405,
    message: 'GraphQL takes GET and POST.',
    code: 'BAD_REQUEST',
    hint: 'Post the operation as JSON.',
    headers: { allow: 'GET, POST' },
  },
  notJson: {
    status: 415,
    message: 'The body is not declared as JSON.',
    code: 'BAD_REQUEST',
    hint: 'Send JSON in UTF-8, with the header Content-Type: application/json.',
  },
  tooManyWaiting: {
    status: 429,
    message: 'Too many operations of this owner are waiting.',
    code: 'RATE_LIMITED',
    hint: 'Wait for the answers to some of them, or try again in 1 s.',
    retryAfterS: 1,
    headers: { 'retry-after': '1' },
  },
  notAcceptable: {
    status: 406,
    message: 'The response has no media type that you accept.',
    code: 'BAD_REQUEST',
    hint: 'Accept application/graphql-response+json, application/json or text/event-stream.',
  },
} satisfies Readonly<Record<string, GraphqlRefusal>>;

export function tooLarge(maxBytes: number): GraphqlRefusal {
  const size = maxBytes % 1024 === 0 ? `${maxBytes / 1024} KiB` : `${maxBytes} bytes`;
  return {
    status: 413,
    message: 'The body is too large.',
    code: 'BAD_REQUEST',
    hint: `Send at most ${size}.`,
  };
}
