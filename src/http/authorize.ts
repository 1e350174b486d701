import type { IncomingMessage } from 'node:http';
import {
  IssuerUnavailableError,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  type Authenticate,
  type Principal,
} from '../auth/principal.ts';
import type { Forwarded } from './forwarded.ts';
import type { Gate } from './gate.ts';
import type { RateLimit } from '../limits/rate.ts';
import type { Refusal } from '../limits/refusal.ts';

/** A caller that is let in, or what it is told instead. */
export type Authorization = { readonly principal: Principal } | { readonly refusal: Refusal };

/** Who may send a request now; asked before its body is read. Never rejects. */
export type Authorize = (request: IncomingMessage) => Promise<Authorization>;

interface AuthorizeOptions {
  readonly authenticate: Authenticate;
  readonly forwarded: Forwarded;
  readonly gate: Gate;
  readonly requestsPerOwner: RateLimit;
  /** Told of what kept it from finding out who a caller is. */
  readonly report: (error: unknown) => void;
}

export function createAuthorize(options: AuthorizeOptions): Authorize {
  const { authenticate, forwarded, gate, report, requestsPerOwner } = options;
  return async (request) => {
    try {
      const principal = await authenticate(request.headers.authorization, forwarded.addressOf(request));
      gate.known(request);
      const waitMs = await requestsPerOwner(principal.owner);
      return waitMs === null ? { principal } : { refusal: tooMany('Too many requests.', waitMs) };
    } catch (error) {
      if (error instanceof TooManyWrongCredentialsError)
        return { refusal: tooMany(error.message, error.waitMs) };
      if (error instanceof UnauthenticatedError) return { refusal: unauthenticated(error) };
      if (!(error instanceof IssuerUnavailableError)) report(error);
      return { refusal: UNAVAILABLE };
    }
  };
}

function unauthenticated({ hint, message }: UnauthenticatedError): Refusal {
  return { status: 401, code: 'UNAUTHENTICATED', message, hint, retryAfterS: null };
}

function tooMany(message: string, waitMs: number): Refusal {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
  return { status: 429, code: 'RATE_LIMITED', message, retryAfterS };
}

const UNAVAILABLE: Refusal = {
  status: 503,
  code: 'SERVICE_UNAVAILABLE',
  message: 'Who you are cannot be checked right now.',
  retryAfterS: 5,
};
