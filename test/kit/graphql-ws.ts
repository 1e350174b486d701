import { WebSocket, type RawData } from 'ws';
import {
  type GraphqlOperation,
  type GraphqlErrorBody,
  type GraphqlResult,
  createResultStream,
  type ResultStream,
  type StreamEnd,
} from './graphql.ts';
import { onTestEnd, recordFailure, createQueue, named } from './waits.ts';

export interface GraphqlWsOptions {
  /** The payload of `connection_init`. */
  readonly connectionParams?: Readonly<Record<string, unknown>>;
  readonly origin?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** False: nothing is sent; the test says `connection_init` itself, or does not. */
  readonly init?: boolean;
  /** False: neither WebSocket pings nor the protocol's own are answered. */
  readonly answerPings?: boolean;
  /** The WebSocket subprotocol. */
  readonly protocol?: string;
  /** Called with each message as it came. */
  readonly onText?: (text: string) => void;
}

/** A client of a GraphQL socket that keeps every message from the opening on, and can misbehave. */
export interface GraphqlWsClient {
  /** Resolves when the socket is closed, by whichever side; with 1006 when it was cut. */
  readonly closed: Promise<WsClose>;
  /** Every message so far, those to operations included. */
  readonly messages: readonly GraphqlWsMessage[];
  /** The oldest message, from the opening on, that is accepted and not yet taken by this method. */
  message(accepts?: (message: GraphqlWsMessage) => boolean): Promise<GraphqlWsMessage>;
  /** Begins an operation of any kind; `id` is the next number when left out. */
  subscribe<TData = Record<string, unknown>>(
    operation: GraphqlOperation<TData>,
    id?: string,
  ): WsSubscription<TData>;
  /** Sends a string or bytes as they are, anything else as JSON. */
  send(message: string | object): void;
  /** Closes politely and waits until it is done. */
  close(code?: number, reason?: string): Promise<WsClose>;
  /** Cuts the connection without a word. */
  terminate(): void;
  /** Reads nothing more from the connection: what the server sends piles up on its side. */
  pause(): void;
  resume(): void;
}

/**
 * Opens a socket and, unless `init` is false, waits for the acknowledgement. Rejects when the upgrade is refused
 * ("Unexpected server response: 403") or the server closes instead (`GraphqlWsClosedError`). The socket is cut at
 * the end of the test.
 */
export async function openGraphqlWs(url: string, options: GraphqlWsOptions = {}): Promise<GraphqlWsClient> {
  const { init = true, answerPings, connectionParams, origin, headers = {} } = options;
  const socket = new WebSocket(url.replace(/^http/, 'ws'), options.protocol ?? 'graphql-transport-ws', {
    autoPong: answerPings ?? true,
    headers,
    ...(origin === undefined ? {} : { origin }),
  });
  const client = createClient(socket, options);
  onTestEnd(async () => {
    client.terminate();
    await client.closed;
  });

  await named('the opening of a socket', opening(socket));
  if (init) {
    client.send({ type: 'connection_init', payload: connectionParams });
    await client.message(({ type }) => type === 'connection_ack');
  }
  return client;
}

function createClient(socket: WebSocket, { answerPings = true, onText }: GraphqlWsOptions): GraphqlWsClient {
  const messages: GraphqlWsMessage[] = [];
  const queue = createQueue<GraphqlWsMessage>('a message of the socket');
  const send = (message: string | object): void => {
    socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  };
  const subscriptions = createWsSubscriptions(send);
  const closed = closing(socket);

  socket.on('message', (data: Buffer) => {
    onText?.(data.toString());
    const message = parseMessage(data);
    messages.push(message);
    queue.push(message);
    subscriptions.route(message);
    if (answerPings && message.type === 'ping') send({ type: 'pong' });
  });
  void closed.then((close) => {
    queue.fail(new GraphqlWsClosedError(close));
    subscriptions.endAll(close);
  });

  return {
    closed,
    messages,
    message: (accepts) => queue.take(accepts),
    subscribe: subscriptions.start,
    send,
    close: (code = 1000, reason = '') => {
      socket.resume();
      socket.close(code, reason);
      return named('the closing of a socket', closed);
    },
    terminate: socket.terminate.bind(socket),
    pause: socket.pause.bind(socket),
    resume: socket.resume.bind(socket),
  };
}

function opening(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  });
}

function closing(socket: WebSocket): Promise<WsClose> {
  // A cut connection is an ordinary end; a server that breaks the framing is not.
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code?.startsWith('WS_ERR_') === true) recordFailure(error);
  });
  return new Promise((resolve) => {
    socket.once('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
    });
  });
}

/** A message of the graphql-transport-ws protocol. */
export interface GraphqlWsMessage {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

interface WsClose {
  readonly code: number;
  readonly reason: string;
}

/** The socket was closed where the test waited for something else. */
export class GraphqlWsClosedError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor({ code, reason }: WsClose) {
    super(`The socket was closed with ${code} ${JSON.stringify(reason)}`);
    this.name = 'GraphqlWsClosedError';
    this.code = code;
    this.reason = reason;
  }
}

/** Throws when the text is no JSON. */
function parseMessage(data: RawData): GraphqlWsMessage {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);
  return JSON.parse(bytes.toString()) as GraphqlWsMessage;
}

interface WsSubscription<TData> extends ResultStream<TData> {
  readonly id: string;
  /** Sends `complete`. Results that are already on their way are dropped. */
  stop(): void;
}

interface Listener {
  readonly onResult: (result: unknown) => void;
  readonly end: (end: StreamEnd) => void;
}

interface WsSubscriptions {
  readonly start: <TData>(operation: GraphqlOperation<TData>, id?: string) => WsSubscription<TData>;
  readonly route: (message: GraphqlWsMessage) => void;
  readonly endAll: (close: WsClose) => void;
}

/** The operations of one socket; messages with an id that none of them has are left to the test. */
function createWsSubscriptions(send: (message: GraphqlWsMessage) => void): WsSubscriptions {
  const listeners = new Map<string, Listener>();
  const all: Listener[] = [];
  let lastId = 0;

  return {
    start<TData>(operation: GraphqlOperation<TData>, id = String((lastId += 1))) {
      const stop = (): void => {
        source.end({ kind: 'stopped' });
        send({ type: 'complete', id });
      };
      const source = createResultStream<TData>(`operation ${id}`, stop);
      const onResult = (result: unknown): void => {
        source.push(result as GraphqlResult<TData>);
      };
      const listener = { onResult, end: source.end };
      listeners.set(id, listener);
      all.push(listener);
      send({ type: 'subscribe', id, payload: operation });
      return { ...source.stream, id, stop };
    },

    route({ type, id = '', payload }) {
      const listener = listeners.get(id);
      if (type === 'next') listener?.onResult(payload);
      if (type === 'error') listener?.end({ kind: 'refused', errors: payload as GraphqlErrorBody[] });
      if (type === 'complete') listener?.end({ kind: 'completed' });
    },

    endAll(close) {
      const { message } = new GraphqlWsClosedError(close);
      for (const { end } of all) end({ kind: 'closed', reason: message });
    },
  };
}
