import type { GraphqlErrorBody, GraphqlOperation, GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { createSseParser } from '../kit/sse.ts';

/** Two owners; `bearer` is how each says who it is. */
export const API_KEYS = 'ann:the-key-of-ann,bob:the-key-of-bob';
export type Owner = 'ann' | 'bob';

export function bearer(owner: Owner): { readonly authorization: string } {
  return { authorization: `Bearer the-key-of-${owner}` };
}

/** What came back for one operation. */
export interface Told {
  /** null over a socket, which has none. */
  readonly status: number | null;
  readonly retryAfter: string | null;
  readonly result: GraphqlResult<Record<string, unknown>>;
}

/** A way in for one operation, and back for its first result. */
export interface AskDoor {
  readonly name: string;
  ask(url: string, operation: GraphqlOperation<unknown>, owner?: Owner): Promise<Told>;
}

const http: AskDoor = {
  name: 'HTTP',
  async ask(url, operation, owner) {
    const { response, text } = await post(url, operation, 'application/graphql-response+json', owner);
    return told(response, JSON.parse(text));
  },
};

const sse: AskDoor = {
  name: 'SSE',
  async ask(url, operation, owner) {
    const { response, text } = await post(url, operation, 'text/event-stream', owner);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const [first] = isStream ? createSseParser()(text) : [];
    return told(response, JSON.parse(first?.data ?? text));
  },
};

const webSocket: AskDoor = {
  name: 'WebSocket',
  async ask(url, operation, owner) {
    const client = await openGraphqlWs(url, owner ? { connectionParams: bearer(owner) } : {});
    client.subscribe(operation, 'asked');
    const { payload, type } = await client.message(({ id }) => id === 'asked');
    await client.close();
    const result = type === 'error' ? { errors: payload as GraphqlErrorBody[] } : (payload as object);
    return { status: null, retryAfter: null, result };
  },
};

/** What is promised of operations is promised over all three. */
export const ASK_DOORS: readonly AskDoor[] = [http, sse, webSocket];
export { http };

async function post(url: string, operation: GraphqlOperation<unknown>, accept: string, owner?: Owner) {
  const headers = { accept, 'content-type': 'application/json', ...(owner && bearer(owner)) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(operation) });
  return { response, text: await response.text() };
}

function told({ headers, status }: Response, result: unknown): Told {
  return {
    status,
    retryAfter: headers.get('retry-after'),
    result: result as GraphqlResult<Record<string, unknown>>,
  };
}

/** The only error of what was told; throws when it is another number of errors. */
export function errorOf({ result }: Told): GraphqlErrorBody {
  const [error, ...others] = result.errors ?? [];
  if (error === undefined || others.length > 0) throw new Error(`Not one error: ${JSON.stringify(result)}`);
  return error;
}

/** Its code, its hint and when to come back must be these; over HTTP the status and the header say the same. */
export function tooFast(status: number | null, seconds: number): object {
  return {
    status,
    retryAfter: status === null ? null : String(seconds),
    extensions: { code: 'RATE_LIMITED', hint: `Try again in ${seconds} s.`, retryAfter: seconds },
  };
}

/** A refusal in the form in which `tooFast` says it. */
export function refusalOf(told: Told): object {
  const { retryAfter, status } = told;
  return { status, retryAfter, extensions: errorOf(told).extensions };
}
