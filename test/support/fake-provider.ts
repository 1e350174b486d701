import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { credit } from './kie.ts';
import { onTestEnd, recordFailure } from './leftovers.ts';
import { sendAnswer, type Answer } from './provider-answer.ts';
import { createProviderLog } from './provider-log.ts';
import { readProviderRequest, type ProviderRequest, type Route } from './provider-request.ts';
import { createProviderScript, type AnswerSource, type QueuedAnswer } from './provider-script.ts';

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
