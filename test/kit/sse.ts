import {
  type GraphqlOperation,
  type GraphqlResult,
  createResultStream,
  type ResultStream,
  type ResultStreamSource,
} from './graphql.ts';
import { onTestEnd } from './waits.ts';

interface SseOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'POST' | 'GET';
}

interface SseSubscription<TData> extends ResultStream<TData> {
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

interface SseEvent {
  /** `message` when the stream names none. */
  readonly event: string;
  readonly data: string;
}

/**
 * Reads server-sent events out of chunks of text, however they are cut: call it with each chunk for the events that
 * it completes. Comments (keep-alives) are skipped.
 */
export function createSseParser(): (chunk: string) => SseEvent[] {
  let rest = '';

  return (chunk) => {
    const blocks = (rest + chunk).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map(parseBlock).filter((event) => event !== undefined);
  };
}

function parseBlock(block: string): SseEvent | undefined {
  const fields = block.split('\n').map(parseField);
  const valuesOf = (name: string): string[] =>
    fields.filter(([field]) => field === name).map(([, value]) => value);

  const event = valuesOf('event').at(-1);
  const data = valuesOf('data');
  if (event === undefined && data.length === 0) return undefined;
  return { event: event ?? 'message', data: data.join('\n') };
}

function parseField(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
