import type { IncomingMessage } from 'node:http';
import {
  IssuerUnavailableError,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  type Authenticate,
  type Principal,
} from '../auth/principal.ts';
import type { RateLimit } from '../limits/rate.ts';
import { refusal, retryLater, secondsOf, type Refusal } from '../limits/refusal.ts';
import type { Forwarded } from './forwarded.ts';
import type { Gate } from './gate.ts';

/** Who sent a request, or why it is refused. */
export type Authorization = { readonly principal: Principal } | { readonly refusal: Refusal };

/** Checks the credential and the rate limit of a request. Called before its body is read. Never rejects. */
export type Authorize = (request: IncomingMessage) => Promise<Authorization>;

interface AuthorizeOptions {
  readonly authenticate: Authenticate;
  readonly forwarded: Forwarded;
  readonly gate: Gate;
  readonly requestsPerOwner: RateLimit;
  /** Called with unexpected errors. */
  readonly report: (error: unknown) => void;
}

export function createAuthorize(options: AuthorizeOptions): Authorize {
  const { authenticate, forwarded, gate, report, requestsPerOwner } = options;
  return async (request) => {
    try {
      const principal = await authenticate(request.headers.authorization, forwarded.addressOf(request));
      gate.known(request);
      const waitMs = await requestsPerOwner(principal.owner);
      return waitMs === null
        ? { principal }
        : { refusal: retryLater(429, 'Too many requests.', secondsOf(waitMs)) };
    } catch (error) {
      return { refusal: refusalOf(error, report) };
    }
  };
}

function refusalOf(error: unknown, report: (error: unknown) => void): Refusal {
  if (error instanceof TooManyWrongCredentialsError)
    return retryLater(429, error.message, secondsOf(error.waitMs));
  if (error instanceof UnauthenticatedError) {
    const headers = { 'WWW-Authenticate': 'Bearer' };
    return refusal(401, error.message, error.hint, { code: 'UNAUTHENTICATED', headers });
  }
  if (!(error instanceof IssuerUnavailableError)) report(error);
  return retryLater(503, 'Credentials cannot be checked right now.', 5);
}
