import {
  createServer,
  type Server,
  STATUS_CODES,
  type ServerResponse,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { credit } from './kie.ts';
import { onTestEnd, recordFailure, createQueue } from './waits.ts';
import { setTimeout as delay } from 'node:timers/promises';

/** A kie.ai that says what the test wants, over real HTTP. It is closed at the end of the test. */
export interface FakeProvider {
  /** Its origin, without a slash at the end. */
  readonly url: string;
  readonly port: number;

  /** Queues the next answers of a route, each for one request. */
  answer(route: Route, ...answers: readonly AnswerSource[]): void;

  /** What a route answers whenever nothing is queued for it. */
  always(route: Route, answer: AnswerSource): void;

  /** The oldest request of a route not yet taken by this method: at once, or when it comes. */
  received(route: Route, accepts?: (request: ProviderRequest) => boolean): Promise<ProviderRequest>;

  /** Every request of a route so far (left out: of all of them, and to unknown paths), in order. */
  requests(route?: Route): readonly ProviderRequest[];

  /** The queued answers that no request has consumed. */
  unused(): readonly QueuedAnswer[];

  /** Cuts all connections and frees the port: from now on it cannot be reached. */
  close(): Promise<void>;
}

/**
 * A request that nothing is queued or standing for is answered with 599 and fails the test at its end. The balance has
 * a standing answer, since every gateway asks for it at its start.
 * `port` is for a provider that comes back where another one was closed.
 */
export async function startFakeProvider({ port = 0 } = {}): Promise<FakeProvider> {
  const script = createProviderScript();
  script.always('credit', credit(1000));
  const log = createProviderLog();
  const server = createProviderServer(async (request) => {
    log.add(request);
    const source = (request.route && script.next(request.route)) ?? unexpected;
    return typeof source === 'function' ? source(request) : source;
  });
  await listen(server, port);

  const close = (): Promise<void> => {
    log.end();
    return stop(server);
  };
  onTestEnd(close);
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    answer: (route, ...answers) => {
      script.queue(route, answers);
    },
    always: script.always,
    received: log.take,
    requests: log.all,
    unused: script.unused,
    close,
  };
}

function createProviderServer(answer: (request: ProviderRequest) => Promise<Answer>): Server {
  const closings = new WeakMap<Socket, Promise<void>>();
  let order = 0;

  const server = createServer((message, response) => {
    const closed = closings.get(message.socket) ?? Promise.resolve();
    readProviderRequest(message, { nextOrder: () => (order += 1), closed })
      .then(async (request) => sendAnswer(await answer(request), response))
      .catch((error: unknown) => {
        if (!message.complete) return; // The client cut its own request.
        recordFailure(new Error(`The fake provider could not answer: ${String(error)}`, { cause: error }));
        response.destroy();
      });
  });
  server.keepAliveTimeout = 0;
  server.on('connection', (socket: Socket) => {
    closings.set(
      socket,
      new Promise((resolve) =>
        socket.once('close', () => {
          resolve();
        }),
      ),
    );
  });
  return server;
}

function unexpected({ method, path, query, route }: ProviderRequest): Answer {
  const search = new URLSearchParams(query).toString();
  const target = `${method} ${path}${search === '' ? '' : `?${search}`}`;
  const reason = route === undefined ? 'there is no such route' : `no answer is queued for ${route}`;
  const message = `Unexpected request to the fake provider: ${target} (${reason})`;
  recordFailure(message);
  return { status: 599, body: message };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

/** What the fake provider does with one request. `{}` is an empty 200. */
export interface Answer {
  /** 200 when left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or Buffer is sent as it is; anything else as JSON, with its content type. */
  readonly body?: unknown;
  /** Nothing at all happens before it resolves. */
  readonly gate?: Promise<unknown>;
  /** Waits so long, after the gate. */
  readonly delayMs?: number;
  /** Closes the connection after so many bytes of the answer, counted from its status line; 0: without a word. */
  readonly cutAfterBytes?: number;
  /** The same, counted from the first byte of the body: the head has gone out whole. */
  readonly cutBodyAfterBytes?: number;
  /** Sends so many bytes of the body, and no more; the connection stays open until the client closes it. */
  readonly holdBodyAfterBytes?: number;
  /** Answers with a TCP reset. The request has been read by then. */
  readonly reset?: boolean;
  /** Answers with `Connection: close` and closes. */
  readonly closeAfter?: boolean;
  /** Never answers; the connection stays open until either side closes. */
  readonly hang?: boolean;
}

/** Gives the answer. Quietly does nothing when the client has gone by then. */
export async function sendAnswer(answer: Answer, response: ServerResponse): Promise<void> {
  await answer.gate;
  if (answer.delayMs !== undefined) await delay(answer.delayMs, undefined, { ref: false });

  const { socket } = response;
  if (answer.hang === true || socket === null || socket.destroyed) return;
  if (answer.reset === true) socket.resetAndDestroy();
  else if (answer.holdBodyAfterBytes !== undefined)
    response
      .writeHead(answer.status ?? 200, headersOf(answer))
      .write(bodyOf(answer).subarray(0, answer.holdBodyAfterBytes));
  else if (answer.cutAfterBytes !== undefined || answer.cutBodyAfterBytes !== undefined) cut(answer, socket);
  else response.writeHead(answer.status ?? 200, headersOf(answer)).end(bodyOf(answer));
}

function cut(answer: Answer, socket: Socket): void {
  const status = answer.status ?? 200;
  const lines = Object.entries(headersOf(answer)).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
  const length = answer.cutAfterBytes ?? head.length + (answer.cutBodyAfterBytes ?? 0);
  socket.write(Buffer.concat([head, bodyOf(answer)]).subarray(0, length), () => socket.destroy());
}

function headersOf(answer: Answer): Record<string, string> {
  const isRaw = typeof answer.body === 'string' || Buffer.isBuffer(answer.body);
  return {
    ...(isRaw ? {} : { 'content-type': 'application/json' }),
    'content-length': String(bodyOf(answer).length),
    ...(answer.closeAfter === true ? { connection: 'close' } : {}),
    ...answer.headers,
  };
}

function bodyOf({ body }: Answer): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** The requests that came, to look back at and to wait for. */
interface ProviderLog {
  readonly add: (request: ProviderRequest) => void;
  readonly all: (route?: Route) => readonly ProviderRequest[];
  readonly take: (route: Route, accepts?: (request: ProviderRequest) => boolean) => Promise<ProviderRequest>;
  /** Nothing comes any more: whoever still waits is told so. */
  readonly end: () => void;
}

function createProviderLog(): ProviderLog {
  const all: ProviderRequest[] = [];
  const queues = {
    createTask: createQueue<ProviderRequest>('a createTask request'),
    recordInfo: createQueue<ProviderRequest>('a recordInfo request'),
    credit: createQueue<ProviderRequest>('a credit request'),
    upload: createQueue<ProviderRequest>('an upload'),
    catalogue: createQueue<ProviderRequest>('a look-up in the catalogue'),
    freshUrl: createQueue<ProviderRequest>('a request for another URL of a video'),
    video: createQueue<ProviderRequest>('a download of a video'),
  };

  return {
    add(request) {
      all.push(request);
      if (request.route !== undefined) queues[request.route].push(request);
    },
    all: (route) => all.filter((request) => route === undefined || request.route === route),
    take: (route, accepts) => queues[route].take(accepts),
    end() {
      for (const queue of Object.values(queues)) queue.fail(new Error('The fake provider was closed'));
    },
  };
}

/** `catalogue` is the list of models and everything below it; `video` everything below /results. */
export type Route = 'createTask' | 'recordInfo' | 'credit' | 'upload' | 'catalogue' | 'freshUrl' | 'video';

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /api/v1/jobs/createTask': 'createTask',
  'GET /api/v1/jobs/recordInfo': 'recordInfo',
  'GET /api/v1/chat/credit': 'credit',
  'POST /api/file-stream-upload': 'upload',
  'POST /api/v1/common/download-url': 'freshUrl',
};

function routeOf(method: string, path: string): Route | undefined {
  if (path.startsWith('/results/')) return 'video';
  return path.startsWith('/api/v1/models') ? 'catalogue' : ROUTES[`${method} ${path}`];
}

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
async function readProviderRequest(
  message: IncomingMessage,
  context: { readonly nextOrder: () => number; readonly closed: Promise<void> },
): Promise<ProviderRequest> {
  const { method = '', headers } = message;
  const remotePort = message.socket.remotePort ?? 0;
  const { pathname: path, searchParams } = new URL(message.url ?? '/', 'http://provider');
  const bytes = await readAll(message);
  return {
    route: routeOf(method, path),
    method,
    path,
    query: Object.fromEntries(searchParams),
    headers,
    // Only when a test asks: as text, a large upload takes longer than all else that is done with it.
    get body() {
      return parseJson(bytes.toString());
    },
    get rawBody() {
      return bytes.toString();
    },
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

/** An answer, or what makes one of the request it is given to. */
export type AnswerSource = Answer | ((request: ProviderRequest) => Answer | Promise<Answer>);

interface QueuedAnswer {
  readonly route: Route;
  readonly answer: AnswerSource;
}

/** What the fake provider is to say: per route a queue of answers, and one for when the queue is empty. */
interface ProviderScript {
  readonly queue: (route: Route, answers: readonly AnswerSource[]) => void;
  readonly always: (route: Route, answer: AnswerSource) => void;
  readonly next: (route: Route) => AnswerSource | undefined;
  readonly unused: () => readonly QueuedAnswer[];
}

function createProviderScript(): ProviderScript {
  const queued: QueuedAnswer[] = [];
  const standing = new Map<Route, AnswerSource>();

  return {
    queue(route, answers) {
      queued.push(...answers.map((answer) => ({ route, answer })));
    },
    always(route, answer) {
      standing.set(route, answer);
    },
    next(route) {
      const index = queued.findIndex((entry) => entry.route === route);
      return index < 0 ? standing.get(route) : queued.splice(index, 1)[0]?.answer;
    },
    unused: () => [...queued],
  };
}
