import { GraphQLError } from 'graphql';
import { MessageType, stringifyMessage } from 'graphql-ws';
import type { SocketContext } from './protocol.ts';

/** Watches the ids of operations. */
export interface ReusedIds {
  /** To be called at each `subscribe` message. Errors when an operation of this id has not quite ended. */
  begin(context: SocketContext, id: string): readonly GraphQLError[] | null;
  /** To be called when its operation has ended, or has come to nothing. */
  end(context: SocketContext, id: string): void;
}

/**
 * graphql-ws forgets an operation at its client's `complete`, while it still ends. It would then take the next operation of
 * its id for itself: complete that one, give it its events, and leave it behind when the socket is gone. So the next one is
 * refused and forgotten.
 */
export function createReusedIds(): ReusedIds {
  const inUse = new WeakMap<SocketContext, readonly string[]>();
  return {
    begin(context, id) {
      const ids = inUse.get(context) ?? [];
      if (ids.includes(id)) return refuse(context, id);
      // Most sockets have one operation, for which a Set would be ten times as large.
      inUse.set(context, [...ids, id]);
      return null;
    },
    end(context, id) {
      const ids = inUse.get(context) ?? [];
      inUse.set(
        context,
        ids.filter((other) => other !== id),
      );
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
