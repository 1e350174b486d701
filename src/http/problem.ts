import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Refusal } from '../limits/refusal.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Problem details (RFC 9457). Clients see all of it, so it must contain no secret. */
function problemOf({ code, hint, message, retryAfter, status }: Refusal): object {
  return {
    type: 'about:blank',
    title: titleOf(status),
    status,
    detail: message,
    ...(code !== undefined && { code }),
    hint,
    ...(retryAfter !== undefined && { retryAfter }),
  };
}

function titleOf(status: number): string {
  return STATUS_CODES[status] ?? `HTTP ${status}`;
}

function headersOf({ headers, retryAfter }: Refusal): Readonly<Record<string, string>> {
  return { ...headers, ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }) };
}

/** Answers with problem details. */
export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  send(response, refusal, PROBLEM_MEDIA_TYPE, problemOf(refusal));
}

/**
 * Answers with problem details that are a GraphQL response as well: a response without `errors` looks like a success without
 * data to GraphQL clients. Apollo Client reads a 4xx response only if its type is `application/graphql-response+json`.
 */
export function sendGraphqlRefusal(accept: string, response: ServerResponse, refusal: Refusal): void {
  const { code = 'BAD_REQUEST', hint, message, retryAfter } = refusal;
  const extensions = { code, hint, ...(retryAfter !== undefined && { retryAfter }) };
  const known = ['application/graphql-response+json', 'application/json'];
  const type = known.find((one) => accept.includes(one)) ?? PROBLEM_MEDIA_TYPE;
  send(response, refusal, `${type}; charset=utf-8`, {
    errors: [{ message, extensions }],
    ...problemOf({ ...refusal, code }),
  });
}

function send(response: ServerResponse, refusal: Refusal, type: string, body: object): void {
  if (response.closed || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(refusal.status, {
    ...headersOf(refusal),
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** A whole HTTP response that closes its connection, for a socket without a ServerResponse. */
export function rawRefusal(refusal: Refusal): string {
  const body = JSON.stringify(problemOf(refusal));
  const headers = {
    ...headersOf(refusal),
    Connection: 'close',
    'Content-Type': PROBLEM_MEDIA_TYPE,
    'Content-Length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${refusal.status} ${titleOf(refusal.status)}\r\n${lines.join('')}\r\n${body}`;
}
