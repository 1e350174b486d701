import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A callback as it arrived. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: CallbackBody;
}

export interface CallbackBody {
  readonly code: number;
  readonly msg: string;
  readonly data: Record<string, unknown>;
}

export interface Receiver {
  readonly url: string;
  /** The next callback nobody has taken yet; waits for it. */
  next(): Promise<Received>;
}

type Answer = (response: ServerResponse, received: Received) => void;

/** Answers 200 the way the provider's docs do. */
export const accept: Answer = (response) => response.end('{"status":"received"}');

/** Answers with a status and no body. */
export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (response) => response.writeHead(code, headers).end();
}

/** Takes the callback and never answers. */
export const hang: Answer = () => undefined;

/** A real HTTP server that is called back: each callback takes the next answer, the last one serves all others. */
export async function startReceiver(...answers: Answer[]): Promise<Receiver> {
  const arrived: Received[] = [];
  const waiting: ((received: Received) => void)[] = [];

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await text(request)) as CallbackBody;
    const received = { path: request.url ?? '', headers: request.headers, body };
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? accept;
    answer(response, received);
    const waiter = waiting.shift();
    if (waiter === undefined) arrived.push(received);
    else waiter(received);
  }

  const server = createServer((request, response) => void receive(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    next() {
      const received = arrived.shift();
      return received === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(received);
    },
  };
}
