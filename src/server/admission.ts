import type { IncomingMessage } from 'node:http';
import {
  IssuerUnavailableError,
  TooManyWrongCredentialsError,
  UnauthenticatedError,
  type Authenticate,
  type Caller,
} from '../access/caller.ts';
import type { Forwarded } from './forwarded.ts';
import type { Gate } from './gate.ts';
import type { RateLimit } from './rate-limit.ts';

/** A caller that is let in, or what it is told instead. */
export type Admission = { readonly caller: Caller } | { readonly refusal: Refusal };

export interface Refusal {
  readonly status: 401 | 429 | 503;
  readonly message: string;
  readonly code: 'UNAUTHENTICATED' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';
  /** How to mend it; left out where it is to come back. */
  readonly hint?: string;
  /** When to come back, in seconds; null when that would not help. */
  readonly retryAfterS: number | null;
}

/** The headers that go with a refusal over HTTP. */
export function refusalHeaders({ retryAfterS, status }: Refusal): Record<string, string> {
  return {
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterS !== null && { 'retry-after': String(retryAfterS) }),
  };
}

/** How to mend it, or when to come back, in words. */
export function refusalHint({ hint, retryAfterS }: Refusal): string | null {
  return hint ?? (retryAfterS === null ? null : `Try again in ${retryAfterS} s.`);
}

/** Who may send a request now; asked before its body is read. Never rejects. */
export type Admit = (request: IncomingMessage) => Promise<Admission>;

export interface AdmitOptions {
  readonly authenticate: Authenticate;
  readonly forwarded: Forwarded;
  readonly gate: Gate;
  readonly requestsPerOwner: RateLimit;
  /** Told of what kept it from finding out who a caller is. */
  readonly report: (error: unknown) => void;
}

export function createAdmit(options: AdmitOptions): Admit {
  const { authenticate, forwarded, gate, report, requestsPerOwner } = options;
  return async (request) => {
    try {
      const caller = await authenticate(request.headers.authorization, forwarded.addressOf(request));
      gate.known(request);
      const waitMs = await requestsPerOwner(caller.owner);
      return waitMs === null ? { caller } : { refusal: tooMany('Too many requests.', waitMs) };
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
