import { request } from 'node:http';
import type { GraphqlOperation, ResultStream } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { onTestEnd } from '../kit/waits.ts';
import { openSse } from '../kit/sse.ts';

/** A subscription whose client can leave without a word. */
export interface DoorStream<TData> extends ResultStream<TData> {
  /** Cuts the connection that it came over. */
  cut(): void;
}

/** A way by which subscriptions come in. */
export interface Door {
  readonly name: string;
  /** Subscribes over a connection of its own. Over SSE it resolves when the server has begun to answer. */
  readonly subscribe: <TData>(url: string, operation: GraphqlOperation<TData>) => Promise<DoorStream<TData>>;
  /** Subscribes without waiting for any answer and reads nothing; returns how to cut the connection. */
  readonly begin: (url: string, operation: GraphqlOperation<unknown>) => Promise<() => void>;
}

export const webSocket: Door = {
  name: 'WebSocket',
  async subscribe(url, operation) {
    const client = await openGraphqlWs(url);
    return { ...client.subscribe(operation), cut: client.terminate };
  },
  async begin(url, operation) {
    const client = await openGraphqlWs(url);
    client.subscribe(operation);
    client.pause();
    return client.terminate;
  },
};

export const sse: Door = {
  name: 'SSE',
  async subscribe(url, operation) {
    const stream = await openSse(url, operation);
    return { ...stream, cut: stream.close };
  },
  begin(url, operation) {
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
    // Without a listener for its response nothing of it is read.
    const call = request(url, { method: 'POST', headers }, () => undefined);
    call.on('error', () => undefined);
    call.end(JSON.stringify(operation));
    const cut = (): void => {
      call.destroy();
    };
    onTestEnd(cut);
    return Promise.resolve(cut);
  },
};

/** What is promised of subscriptions is promised over both. */
export const DOORS: readonly Door[] = [webSocket, sse];
