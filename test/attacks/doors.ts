import type { GraphqlErrorBody, GraphqlOperation, GraphqlResult } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';

/** What came back of one operation. */
export interface Told {
  /** null over a socket. */
  readonly status: number | null;
  readonly headers: Headers;
  /** All that was said, as it came. */
  readonly text: string;
  readonly data: unknown;
  readonly errors: readonly GraphqlErrorBody[];
}

export interface Door {
  readonly name: string;
  readonly isHttp: boolean;
  send(
    graphqlUrl: string,
    operation: GraphqlOperation<unknown>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Told>;
}

const RESPONSE = 'application/graphql-response+json';
const STREAM = 'text/event-stream';

function overHttp(name: string, method: 'GET' | 'POST', accept: string): Door {
  return {
    name,
    isHttp: true,
    async send(graphqlUrl, operation, headers = {}) {
      const url = method === 'GET' ? `${graphqlUrl}?${searchOf(operation)}` : graphqlUrl;
      const type = { 'content-type': 'application/json' };
      const response = await fetch(url, {
        method,
        headers: { accept, ...(method === 'POST' && type), ...headers },
        ...(method === 'POST' && { body: JSON.stringify(operation) }),
      });
      const text = await response.text();
      const { status } = response;
      return { status, headers: response.headers, text, ...resultOf(text) };
    },
  };
}

function searchOf({ operationName, query, variables }: GraphqlOperation<unknown>): string {
  return new URLSearchParams({
    query,
    ...(variables && { variables: JSON.stringify(variables) }),
    ...(operationName !== undefined && { operationName }),
  }).toString();
}

/** The result in a body, or the first one of an event stream. */
function resultOf(text: string): Pick<Told, 'data' | 'errors'> {
  const json = /^data: ?(\{.*\})$/m.exec(text)?.[1] ?? text;
  const { data, errors = [] } = JSON.parse(json) as GraphqlResult<unknown>;
  return { data, errors };
}

export const httpPost = overHttp('HTTP POST', 'POST', RESPONSE);
export const httpGet = overHttp('HTTP GET', 'GET', RESPONSE);
export const sse = overHttp('SSE', 'POST', STREAM);
export const sseGet = overHttp('SSE by GET', 'GET', STREAM);

/** Over a socket of its own, of whose messages the first one to the operation counts. */
export const webSocket: Door = {
  name: 'WebSocket',
  isHttp: false,
  async send(graphqlUrl, operation, headers = {}) {
    const client = await openGraphqlWs(graphqlUrl, { headers });
    client.send({ type: 'subscribe', id: 'attack', payload: operation });
    const { payload, type } = await client.message(({ id }) => id === 'attack');
    const result = (type === 'error' ? { errors: payload } : payload) as GraphqlResult<unknown>;
    const { data, errors = [] } = result;
    return { status: null, headers: new Headers(), text: JSON.stringify(payload), data, errors };
  },
};

export const DOORS: readonly Door[] = [httpPost, httpGet, sse, sseGet, webSocket];
