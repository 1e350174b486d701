import type { GraphqlOperation, GraphqlResult } from './graphql-result.ts';
import { onTestEnd } from './leftovers.ts';
import { createResultStream, type ResultStream, type ResultStreamSource } from './result-stream.ts';
import { createSseParser, type SseEvent } from './sse-parser.ts';

export interface SseOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'POST' | 'GET';
}

export interface SseSubscription<TData> extends ResultStream<TData> {
  /** Of the answer; a refusal may come in the form of a stream as well. */
  readonly status: number;
  readonly headers: Headers;
  /** Leaves: the connection is cut. */
  close(): void;
}

/** The server answered with something else than a stream of events. */
export class SseRefusedError extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`No event stream, but status ${status}: ${body}`);
    this.name = 'SseRefusedError';
    this.status = status;
    this.body = body;
  }
}

/**
 * Subscribes over server-sent events; resolves when the server has begun the stream, rejects with
 * `SseRefusedError` when it does not. The stream is left at the end of the test.
 */
export async function openSse<TData = Record<string, unknown>>(
  url: string,
  operation: GraphqlOperation<TData>,
  options: SseOptions = {},
): Promise<SseSubscription<TData>> {
  const leaving = new AbortController();
  const response = await fetchStream(url, operation, options, leaving.signal);
  const { body, status } = response;
  if (body === null || response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    throw new SseRefusedError(status, await response.text());
  }

  const close = (): void => {
    source.end({ kind: 'stopped' });
    leaving.abort();
  };
  const source = createResultStream<TData>('the event stream', close);
  onTestEnd(close);
  void read(body, source);
  return { ...source.stream, status, headers: response.headers, close };
}

function fetchStream<TData>(
  url: string,
  { query, variables = {} }: GraphqlOperation<TData>,
  { headers = {}, method = 'POST' }: SseOptions,
  signal: AbortSignal,
): Promise<Response> {
  const accept = { accept: 'text/event-stream' };
  if (method === 'GET') {
    const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
    return fetch(`${url}?${search.toString()}`, { headers: { ...accept, ...headers }, signal });
  }
  return fetch(url, {
    method,
    headers: { ...accept, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
    signal,
  });
}

async function read<TData>(
  body: ReadableStream<Uint8Array>,
  { push, end }: ResultStreamSource<TData>,
): Promise<void> {
  const parse = createSseParser();
  const decoder = new TextDecoder();
  const onEvent = ({ event, data }: SseEvent): void => {
    if (event === 'next') push(JSON.parse(data) as GraphqlResult<TData>);
    if (event === 'complete') end({ kind: 'completed' });
  };
  try {
    for await (const chunk of body) parse(decoder.decode(chunk, { stream: true })).forEach(onEvent);
    end({ kind: 'closed', reason: 'it ended without an event "complete"' });
  } catch (error) {
    end({ kind: 'closed', reason: String(error) });
  }
}
