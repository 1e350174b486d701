import { GraphQLError } from 'graphql';
import { MessageType, stringifyMessage } from 'graphql-ws';
import type { SocketContext } from './protocol.ts';

/** Watches the ids of operations that are being begun. */
export interface ReusedIds {
  /** To be called at each `subscribe` message; `onBegun` when its operation runs, or comes to nothing. */
  begin(
    context: SocketContext,
    id: string,
  ): { readonly onBegun: () => void } | { readonly refused: readonly GraphQLError[] };
}

/**
 * graphql-ws forgets an operation at its `complete`. One that was still being begun then would take the next operation
 * of its id for itself, give that one its events, and outlive the socket: so the next one is refused and forgotten.
 */
export function createReusedIds(): ReusedIds {
  const beginning = new WeakMap<SocketContext, Set<string>>();
  return {
    begin(context, id) {
      const ids = beginning.get(context) ?? new Set();
      if (ids.has(id)) return { refused: refuse(context, id) };
      beginning.set(context, ids.add(id));
      return { onBegun: () => ids.delete(id) };
    },
  };
}

function refuse({ extra, subscriptions }: SocketContext, id: string): readonly GraphQLError[] {
  Reflect.deleteProperty(subscriptions, id);
  const error = new GraphQLError(
    `The operation before with the id "${id}" is still ending. Use another id.`,
    {
      extensions: { code: 'BAD_USER_INPUT' },
    },
  );
  extra.outlet.send(stringifyMessage({ id, type: MessageType.Error, payload: [error.toJSON()] }));
  return [error];
}
