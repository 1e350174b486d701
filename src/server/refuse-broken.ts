import type { FastifyServerOptions } from 'fastify';
import { maxHeaderSize } from 'node:http';
import { problem, rawAnswer, type Problem } from '../problem.ts';

type RefuseBroken = NonNullable<FastifyServerOptions['clientErrorHandler']>;

/**
 * Answers what never became a request, as far as that can still be told, and closes its connection. Nothing of it is
 * logged: the error carries the bytes as they came, with whatever secrets are among them.
 */
export function createRefuseBroken(requestTimeoutMs: number): RefuseBroken {
  const late = problem(408, 'The request did not arrive in time.', {
    hint: `Send it whole within ${requestTimeoutMs / 1000} s.`,
  });
  return (error, socket) => {
    const answer = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? late : (BY_CODE[error.code] ?? MALFORMED);
    if (error.code !== 'ECONNRESET' && socket.writable) socket.write(rawAnswer(answer));
    socket.destroy();
  };
}

const MALFORMED = problem(400, 'This is no HTTP request.', {
  hint: 'Send HTTP/1.1, with one Host and one length.',
});

const BY_CODE: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: problem(431, 'The address and the headers are too long.', {
    hint: `Send at most ${maxHeaderSize / 1024} KiB of them; a long operation goes into the body of a POST.`,
  }),
};
