import type { Socket } from 'node:net';
import { problem, rawAnswer, type Problem } from '../problem.ts';

const NO_REQUEST = problem(400, 'This is no HTTP request.', { hint: 'Send HTTP/1.1.' });

const BY_CODE: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: problem(408, 'The request did not arrive whole in time.', {
    hint: 'Send it again, without pauses.',
  }),
  HPE_HEADER_OVERFLOW: problem(431, 'The address and headers are too large.', {
    hint: 'Send operations in the body of a POST request.',
  }),
};

/**
 * Answers what never becomes a request. Nothing of it is logged: the error carries the bytes as they came, with
 * whatever secrets are among them.
 */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) socket.write(rawAnswer(BY_CODE[error.code ?? ''] ?? NO_REQUEST));
  socket.destroy(error);
}
