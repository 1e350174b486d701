import type { Document, GraphqlResult } from './graphql-result.ts';

export interface GraphqlHttpAnswer<TData> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: GraphqlResult<TData>;
}

/** Posts an operation to a GraphQL endpoint. Throws when the answer is no JSON, whatever its status. */
export async function graphql<TData = Record<string, unknown>>(
  url: string,
  query: Document<TData>,
  variables: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<GraphqlHttpAnswer<TData>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = parse(await response.text(), response.status) as GraphqlResult<TData>;
  return { status: response.status, headers: response.headers, body };
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The answer with status ${status} is no JSON: ${text}`);
  }
}
