import { GraphQLError } from 'graphql';
import { CloseCode, MessageType, stringifyMessage } from 'graphql-ws';
import type { SocketContext } from './socket-extra.ts';

/** The operations of each socket, by id. */
export interface RunningOperations {
  /**
   * Called at each `subscribe` message. Returns errors when the id cannot be used: the operation is answered, or its
   * socket closed.
   */
  begin(context: SocketContext, id: string): readonly GraphQLError[] | null;
  /** Called when the operation has ended or was refused. */
  end(context: SocketContext, id: string): void;
}

interface Running {
  readonly id: string;
  readonly bytes: number;
}

/** Each event of a subscription repeats its id. */
const MAX_ID_LENGTH = 128;

/**
 * graphql-ws forgets an operation at its client's `complete`, while it still ends. It would then take the next operation of
 * its id for itself: complete that one, give it its events, and leave it behind when the socket is gone. So the next one is
 * refused and forgotten. `heldBytes` of the socket counts the messages of all that run.
 */
export function createRunningOperations(): RunningOperations {
  const bySocket = new WeakMap<SocketContext, readonly Running[]>();
  return {
    begin(context, id) {
      const { extra } = context;
      if (id.length > MAX_ID_LENGTH) {
        extra.close(CloseCode.BadRequest, `The id of an operation has at most ${MAX_ID_LENGTH} characters`);
        return [new GraphQLError('The id is too long.')];
      }
      const running = bySocket.get(context) ?? [];
      if (running.some((other) => other.id === id)) return refuse(context, id);
      const bytes = extra.messageBytes;
      extra.heldBytes += bytes;
      // Most sockets have one operation, for which a Map would be ten times as large.
      bySocket.set(context, [...running, { id, bytes }]);
      return null;
    },
    end(context, id) {
      const running = bySocket.get(context) ?? [];
      const ended = running.find((other) => other.id === id);
      if (!ended) return;
      context.extra.heldBytes -= ended.bytes;
      bySocket.set(
        context,
        running.filter((other) => other !== ended),
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
