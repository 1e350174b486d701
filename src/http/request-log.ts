import type { IncomingMessage } from 'node:http';
import type { BaseLogger } from 'pino';
import type { GraphqlParams } from '../engine/request-params.ts';

/** What becomes known of a request while it is processed. */
interface RequestFacts {
  readonly owner?: string;
  /** The name of the GraphQL operation. */
  readonly operation?: string | null;
}

interface RequestOutcome {
  readonly reqId: string;
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

/** Logs one line for each request. */
export interface RequestLog {
  /** Called first, because the address is unknown once the connection has closed. */
  begin(request: IncomingMessage): void;
  /** Adds facts to the line of a request. */
  note(request: IncomingMessage, facts: RequestFacts): void;
  write(request: IncomingMessage, outcome: RequestOutcome): void;
}

export const REQUEST_ID_HEADER = 'x-request-id';

/** Routes that machines call every few seconds. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/** Logs requests at `info`, and those of probes at `debug`. */
export function createRequestLog(
  log: BaseLogger,
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

/** The operation name that the client sends, or the name of the first operation in the document. */
export function operationNameIn({ operationName, query }: GraphqlParams): string | null {
  return operationName ?? /^\s*(?:query|mutation|subscription)\s+([_a-z]\w*)/i.exec(query)?.[1] ?? null;
}
