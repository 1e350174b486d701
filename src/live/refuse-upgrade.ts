import type { Duplex } from 'node:stream';
import { problem, rawAnswer } from '../http/problem.ts';

/** When to come back, in seconds: sockets end when their clients leave, so nobody knows. */
const RETRY_AFTER_S = 5;

const REFUSALS = {
  403: problem(403, 'This web page may not connect.', { hint: 'Name its origin in ALLOWED_ORIGINS.' }),
  404: problem(404, 'There is no socket here.', { hint: 'The API is at /graphql.' }),
  429: problem(429, 'Too many sockets and streams of this address are open.', {
    hint: `Close some first, or try again in ${RETRY_AFTER_S} s.`,
  }),
};

/** Answers a request for a socket with no; browsers show their pages nothing of it, other clients can read why. */
export function refuseUpgrade(stream: Duplex, status: keyof typeof REFUSALS): void {
  stream.on('error', () => undefined);
  const headers = status === 429 ? { 'Retry-After': String(RETRY_AFTER_S) } : {};
  stream.end(rawAnswer(REFUSALS[status], headers));
}
