import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';

/** An answer of the API: the HTTP status beside the envelope. */
export interface Answer {
  readonly http: number;
  readonly code: number;
  readonly msg: string;
  readonly data: unknown;
}

/** A task's record as JSON brings it. */
interface RecordJson {
  readonly [field: string]: unknown;
  readonly param: string;
  readonly resultJson: string;
}

export interface Client extends Sandbox {
  call(path: string, init?: RequestInit): Promise<Answer>;
  /** createTask with a body of one's own. */
  send(body: unknown): Promise<Answer>;
  /** createTask with a valid body, `prompt` and `callBackUrl` as given; the new task's id. */
  create(prompt?: string, callBackUrl?: string): Promise<string>;
  /** The data of recordInfo, which must answer 200. */
  record(taskId: string): Promise<RecordJson>;
  credits(): Promise<unknown>;
}

/** A valid create request with one part of its input replaced. */
export function requestWith(input: object = {}, top: object = {}): object {
  return {
    model: 'hailuo/02-image-to-video-pro',
    input: { prompt: 'a page turns', image_url: 'https://files.example.com/first.png', ...input },
    ...top,
  };
}

/** A sandbox of quick tasks, visible at once, closed when the test is over; and a caller with a key. */
export async function startClient(options: Partial<SandboxOptions> = {}): Promise<Client> {
  const sandbox = await startSandbox({
    hmacKey: 'a webhook key',
    durationMs: 10,
    invisibleMs: 0,
    callbackRetryDelaysMs: [5, 5, 5],
    ...options,
  });
  onTestFinished(() => sandbox.close());
  const authorization = 'Bearer a-key';

  async function call(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${sandbox.url}${path}`, { headers: { authorization }, ...init });
    return { http: response.status, ...((await response.json()) as Omit<Answer, 'http'>) };
  }
  function send(body: unknown): Promise<Answer> {
    const headers = { authorization, 'content-type': 'application/json' };
    return call('/api/v1/jobs/createTask', { method: 'POST', headers, body: JSON.stringify(body) });
  }
  return {
    ...sandbox,
    call,
    send,
    async create(prompt = 'a page turns', callBackUrl) {
      const { msg, data } = await send(
        requestWith({ prompt }, callBackUrl === undefined ? {} : { callBackUrl }),
      );
      if (data === null) throw new Error(msg);
      return (data as { taskId: string }).taskId;
    },
    async record(taskId) {
      const { msg, data } = await call(`/api/v1/jobs/recordInfo?taskId=${taskId}`);
      if (data === null) throw new Error(msg);
      return data as RecordJson;
    },
    credits: async () => (await call('/api/v1/chat/credit')).data,
  };
}

/** A callback as it arrived. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: CallbackBody;
}

interface CallbackBody {
  readonly code: number;
  readonly msg: string;
  readonly data: Record<string, unknown>;
}

interface Receiver {
  readonly url: string;
  /** The next callback nobody has taken yet; waits for it. */
  next(): Promise<Received>;
}

type Reply = (response: ServerResponse, received: Received) => void;

/** Answers 200 the way the provider's docs do. */
const accept: Reply = (response) => response.end('{"status":"received"}');

/** Answers with a status and no body. */
export function status(code: number, headers: Record<string, string> = {}): Reply {
  return (response) => response.writeHead(code, headers).end();
}

/** Takes the callback and never answers. */
export const hang: Reply = () => undefined;

/** A real HTTP server that is called back: each callback takes the next answer, the last one serves all others. */
export async function startReceiver(...answers: Reply[]): Promise<Receiver> {
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
