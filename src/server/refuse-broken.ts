import type { FastifyServerOptions } from 'fastify';
import { STATUS_CODES, maxHeaderSize } from 'node:http';
import { PROBLEM_MEDIA_TYPE, problem } from '../problem.ts';

type RefuseBroken = NonNullable<FastifyServerOptions['clientErrorHandler']>;

/** Answers what never became a request, as far as that can still be told, and closes its connection. */
export function createRefuseBroken(requestTimeoutMs: number): RefuseBroken {
  const late = refusal(
    408,
    'The request did not arrive in time.',
    `Send it whole within ${requestTimeoutMs / 1000} s.`,
  );
  return (error, socket) => {
    if (socket.writable)
      socket.write(error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? late : (BY_CODE[error.code] ?? MALFORMED));
    socket.destroy();
  };
}

const MALFORMED = refusal(400, 'This is no HTTP request.', 'Send HTTP/1.1, with one Host and one length.');

const BY_CODE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: refusal(
    431,
    'The address and the headers are too long.',
    `Send at most ${maxHeaderSize / 1024} KiB of them; a long operation goes into the body of a POST.`,
  ),
};

function refusal(status: number, detail: string, hint: string): string {
  const body = JSON.stringify(problem(status, detail, { hint }));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
