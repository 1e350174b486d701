import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { refusal, type Envelope, type Log } from './envelope.ts';

/** A request whose key is right and whose body is read. */
export interface Call {
  readonly request: IncomingMessage;
  /** Handlers may set `statusCode`. */
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The JSON of the body; undefined for routes that read none. */
  readonly body: unknown;
}

export interface ApiRoute {
  /** Returns the body of the response; undefined if it has cut the connection. */
  readonly handle: (call: Call) => object | undefined | Promise<object | undefined>;
  /** The response to a request without the right key. */
  readonly refused: object;
  /** The largest JSON body; undefined for routes that read no JSON. */
  readonly maxBodyBytes?: number;
}

/** Answers a request for a file; `path` is the part of the URL path behind the prefix. */
export type SendFile = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<void>;

interface ApiOptions {
  /** By method and path. A path that ends with `*` is for all that begin with the rest. */
  readonly routes: Readonly<Record<string, ApiRoute>>;
  /** Serves `/files/`. */
  readonly files: SendFile;
  /** The key of all clients; undefined allows any key. */
  readonly apiKey: string | undefined;
  readonly log: Log;
}

/** Longer than clients reuse a connection. */
const KEEP_ALIVE_MS = 72_000;
const FILES = '/files/';

/** The HTTP server of the sandbox. It does not listen yet. */
export function createApiServer({ apiKey, files, log, routes }: ApiOptions): Server {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<object | undefined> {
    const { headers, method = '', url = '' } = request;
    const [path = '', query] = url.split('?', 2);
    if (path.startsWith(FILES) && (method === 'GET' || method === 'HEAD')) {
      await files(request, response, path.slice(FILES.length));
      return undefined;
    }
    const wanted = `${method} ${path}`;
    const known = Object.keys(routes);
    const isFor = (name: string): boolean => name.endsWith('*') && wanted.startsWith(name.slice(0, -1));
    const route = routes[wanted] ?? routes[known.find(isFor) ?? ''];
    if (!route) {
      response.statusCode = 404;
      const listed = known.join(', ');
      return refusal(404, `Not found: ${method} ${url}. There are ${listed} and GET /files/{taskId}.mp4.`);
    }
    // A refused request has HTTP 200 as well (kie.ai docs: "Getting Started").
    const [, key] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (key === undefined || (apiKey !== undefined && key !== apiKey)) return route.refused;
    const { maxBodyBytes } = route;
    const body = maxBodyBytes === undefined ? undefined : await readJson(request, maxBodyBytes);
    return route.handle({ request, response, path, query: new URLSearchParams(query), body });
  }

  return createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void answer(request, response)
      .catch((error: unknown) => {
        if (error instanceof UnreadableError) {
          response.statusCode = error.status;
          return refusal(400, error.message);
        }
        response.statusCode = 500;
        if (!request.destroyed) log('The sandbox failed to answer a request', { error });
        return refusal(500);
      })
      .then((told) => {
        if (told) sendJson(response, told);
      });
  });
}

/** Answers with JSON and the status that `response` has. */
export function sendJson(response: ServerResponse, body: object | Envelope): void {
  if (response.headersSent) return;
  const text = JSON.stringify(body);
  // The rest of a body that was not read would be taken for the next request.
  if (!response.req.complete) response.shouldKeepAlive = false;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}

class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function readJson(request: IncomingMessage, limit: number): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new UnreadableError(415, 'Send the body as JSON, with the header Content-Type: application/json.');
  const chunks: Buffer[] = [];
  let length = 0;
  // The connection of the request has to carry the response, so the iterator must not destroy it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit)
      throw new UnreadableError(413, 'The body is too large; send the address of an image, not its content.');
    chunks.push(chunk);
  }
  if (length === 0)
    throw new UnreadableError(400, 'The body is empty; send {"model": …, "input": {…}} as JSON.');
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new UnreadableError(400, 'The body is not valid JSON; check quotes, commas and braces.');
  }
}
