import type { GraphqlErrorBody, GraphqlOperation, GraphqlResult } from './graphql-result.ts';
import { GraphqlWsClosedError, type GraphqlWsMessage, type WsClose } from './graphql-ws-protocol.ts';
import { createResultStream, type ResultStream, type StreamEnd } from './result-stream.ts';

export interface WsSubscription<TData> extends ResultStream<TData> {
  readonly id: string;
  /** Sends `complete`. Results that are already on their way are dropped. */
  stop(): void;
}

interface Listener {
  readonly onResult: (result: unknown) => void;
  readonly end: (end: StreamEnd) => void;
}

export interface WsSubscriptions {
  readonly start: <TData>(operation: GraphqlOperation<TData>, id?: string) => WsSubscription<TData>;
  readonly route: (message: GraphqlWsMessage) => void;
  readonly endAll: (close: WsClose) => void;
}

/** The operations of one socket; messages with an id that none of them has are left to the test. */
export function createWsSubscriptions(send: (message: GraphqlWsMessage) => void): WsSubscriptions {
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
