import type { IncomingHttpHeaders } from 'node:http';
import { GRAPHQL_PATH } from './graphql.ts';

/** An operation as most clients send it: the whole of a JSON body, and nothing said beside it that needs weighing. */
export interface PlainRequest {
  readonly params: PlainParams;
  /** What its answer is. */
  readonly mediaType: string;
}

export interface PlainParams {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null;
  readonly operationName?: string | null;
}

const OLD = 'application/json';
const NEW = 'application/graphql-response+json';

/** What clients and their libraries accept, and what that makes of the answer. All else is negotiated by the engine. */
const ANSWERED_WITH: ReadonlyMap<string | undefined, string> = new Map([
  [undefined, OLD],
  ['*/*', OLD],
  [OLD, OLD],
  ['application/json, text/plain, */*', OLD],
  [NEW, NEW],
  [`${NEW}, ${OLD}`, NEW],
  [`${NEW},${OLD};q=0.9`, NEW],
]);

/** What is looked at of a request. */
export interface ReadRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Undefined when there is none. */
  readonly body: unknown;
}

/** Null for whatever is unusual. */
export function plainRequest({ body, headers, method, url }: ReadRequest): PlainRequest | null {
  if (method !== 'POST' || url !== GRAPHQL_PATH || !Buffer.isBuffer(body)) return null;
  // Only what asks beforehand should say these; the engine answers them.
  if ('access-control-request-method' in headers || 'access-control-request-headers' in headers) return null;
  if (headers.origin?.includes('*') === true) return null;
  const mediaType = ANSWERED_WITH.get(headers.accept);
  const params = mediaType === undefined ? null : paramsIn(body);
  return mediaType === undefined || params === null ? null : { params, mediaType };
}

function paramsIn(body: Buffer): PlainParams | null {
  const json = parsed(body);
  if (!isObject(json)) return null;
  for (const [name, value] of Object.entries(json)) if (!isPlain(name, value)) return null;
  return typeof json['query'] === 'string' ? (json as unknown as PlainParams) : null;
}

function isPlain(name: string, value: unknown): boolean {
  if (name === 'query') return typeof value === 'string';
  if (name === 'variables') return value === null || isObject(value);
  return name === 'operationName' && (value === null || typeof value === 'string');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined when it is no JSON. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
