import type { FastifyBaseLogger } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { GraphqlParams } from '../engine/request-params.ts';

/** What a request turns out to be on its way; undefined or null as long as it is not known. */
interface RequestFacts {
  readonly owner?: string | undefined;
  /** The name of the GraphQL operation. */
  readonly operation?: string | null;
}

/** How a request was answered. */
interface RequestOutcome {
  readonly reqId: string;
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/** One line for each request. */
export interface RequestLog {
  /** Called first: the address of a connection that has closed is not known any more. */
  begin(request: IncomingMessage): void;
  /** Adds facts to the line of a request. */
  note(request: IncomingMessage, facts: RequestFacts): void;
  write(request: IncomingMessage, outcome: RequestOutcome): void;
}

/** The field of an answer that names its request in the log. */
export const REQUEST_ID_FIELD = 'x-request-id';

/** Asked for every few seconds by machines. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/** Requests are logged at `info`, those of probes at `debug`. */
export function createRequestLog(
  log: FastifyBaseLogger,
  addressOf: (request: IncomingMessage) => string,
): RequestLog {
  const known = new WeakMap<IncomingMessage, RequestFacts & { readonly address: string }>();
  const factsOf = (request: IncomingMessage) => known.get(request) ?? { address: addressOf(request) };
  return {
    begin(request) {
      known.set(request, factsOf(request));
    },
    note(request, facts) {
      known.set(request, { ...factsOf(request), ...facts });
    },
    write(request, { ms, reqId, route, status }) {
      const { method } = request;
      const { address, operation, owner } = factsOf(request);
      const who = { address, owner, operation: operation ?? undefined };
      log[PROBES.has(route) ? 'debug' : 'info']({ reqId, method, route, status, ms, ...who }, 'request');
    },
  };
}

/** The name of an operation: the one that its client gives, else the first one in the document. */
export function operationNameIn({ operationName, query }: GraphqlParams): string | null {
  return operationName ?? /^\s*(?:query|mutation|subscription)\s+([_a-z]\w*)/i.exec(query)?.[1] ?? null;
}
