import type { FastifyServerOptions } from 'fastify';
import { maxHeaderSize, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
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
    // In the middle of another answer it would be taken for a part of that.
    const { _httpMessage: under } = socket as { _httpMessage?: ServerResponse | null };
    if (error.code !== 'ECONNRESET' && socket.writable && !under?.headersSent)
      socket.write(rawAnswer(answer));
    socket.destroy();
  };
}

/** Answers whoever takes the gateway for a proxy. */
export function refuseConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  socket.end(rawAnswer(NO_PROXY));
}

const NO_PROXY = problem(405, 'This is no proxy.', { hint: 'The API is at /graphql.' });

const MALFORMED = problem(400, 'This is no HTTP request.', {
  hint: 'Send HTTP/1.1, with one Host and one length.',
});

const BY_CODE: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: problem(431, 'The address and the headers are too long.', {
    hint: `Send at most ${maxHeaderSize / 1024} KiB of them; a long operation goes into the body of a POST.`,
  }),
};
