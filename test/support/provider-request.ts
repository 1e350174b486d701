import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export type Route = 'createTask' | 'recordInfo' | 'credit' | 'upload';

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /api/v1/jobs/createTask': 'createTask',
  'GET /api/v1/jobs/recordInfo': 'recordInfo',
  'GET /api/v1/chat/credit': 'credit',
  'POST /api/file-stream-upload': 'upload',
};

/** One request as the fake provider received it, whole. */
export interface ProviderRequest {
  /** `undefined` when the provider has no such route. */
  readonly route: Route | undefined;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** The body as JSON; `undefined` when it is none. */
  readonly body: unknown;
  readonly rawBody: string;
  /** The body as it came. */
  readonly bytes: Buffer;
  /** 1 for the first request of this provider, 2 for the second one, over all routes. */
  readonly order: number;
  /** Two requests with the same port came over the same connection. */
  readonly remotePort: number;
  /** Resolves when the connection it came over is closed, by whichever side. */
  readonly closed: Promise<void>;
}

/** Reads the request to its end. Rejects when the client cuts it. */
export async function readProviderRequest(
  message: IncomingMessage,
  context: { readonly nextOrder: () => number; readonly closed: Promise<void> },
): Promise<ProviderRequest> {
  const { method = '', headers } = message;
  const remotePort = message.socket.remotePort ?? 0;
  const { pathname: path, searchParams } = new URL(message.url ?? '/', 'http://provider');
  const bytes = await readAll(message);
  const rawBody = bytes.toString();
  return {
    route: ROUTES[`${method} ${path}`],
    method,
    path,
    query: Object.fromEntries(searchParams),
    headers,
    body: parseJson(rawBody),
    rawBody,
    bytes,
    order: context.nextOrder(),
    remotePort,
    closed: context.closed,
  };
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
