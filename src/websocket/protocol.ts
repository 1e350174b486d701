import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { makeServer, type Server as ProtocolServer, type ServerOptions } from 'graphql-ws';
import { setImmediate } from 'node:timers/promises';
import type { Principal } from '../auth/principal.ts';
import {
  type AuthorizeOperation,
  beginOperation,
  type BegunOperation,
  type Operation,
  type RefuseOverload,
  createRunningOperations,
} from './operations.ts';
import type { InTurn } from '../limits/turns.ts';
import { withPersistedQuery } from '../engine/request-params.ts';
import type { Hub, SubscriptionArgs } from './hub.ts';
import type { SocketExtra } from './socket.ts';
import { formatResult, formatError } from './errors.ts';
import type { OnConnect } from './on-connect.ts';

interface ProtocolOptions {
  readonly begin: (principal: Principal, reqId: string) => Operation;
  /** Decides on each connection_init. */
  readonly welcome: OnConnect;
  /** Decides on each operation. */
  readonly admit: AuthorizeOperation;
  /** Decides on each that was admitted, once it is known what it is. */
  readonly putOff: RefuseOverload;
  readonly hub: Hub;
  /** When operations are begun. */
  readonly inTurn: InTurn;
}

type OperationResult = ReturnType<NonNullable<ServerOptions['execute']>>;

export interface Protocol extends ProtocolServer<SocketExtra> {
  /** Fulfilled when the queries and mutations that are under way now are answered. */
  answered(): Promise<void>;
}

/**
 * The graphql-transport-ws protocol over an engine. An operation that is not let through is answered with an `error`
 * message of its own; the socket and its other operations live on.
 */
export function createProtocol(options: ProtocolOptions): Protocol {
  const { admit, begin, hub, inTurn, putOff, welcome } = options;
  const running = createRunningOperations();
  const answering = new Set<Promise<unknown>>();

  const server = makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: (context) => {
      const { connectionParams, extra } = context;
      // graphql-ws would keep it, and the credentials in it, as long as the socket.
      Reflect.deleteProperty(context, 'connectionParams');
      return welcome(connectionParams, extra);
    },
    onSubscribe: async (context, id, payload) => {
      const { principal, reqId } = context.extra;
      if (!principal) throw new Error('an operation came before its caller was known');
      const unusable = running.begin(context, id);
      if (unusable) return unusable;
      const refusal = await admit(context, principal);
      const begun = refusal
        ? [refusal]
        : await inTurn(principal.owner, () => beginOperation(begin(principal, reqId), payload, putOff));
      if ('document' in begun) return argsOf(begun, id, context.extra);
      running.end(context, id);
      return begun;
    },
    onComplete: running.end,
    onNext: (_context, _id, _payload, _args, result) => formatResult(result as ExecutionResult),
    onError: (_context, _id, _payload, errors) => errors.map(formatError),
    execute: async (args) => {
      const { execute } = handedBack(args);
      const answer = Promise.resolve(execute?.(args) as OperationResult);
      answering.add(answer);
      try {
        return await answer;
      } finally {
        answering.delete(answer);
      }
    },
    subscribe: (args) => hub.subscribe(handedBack(args)),
  });

  return {
    ...server,
    async answered() {
      await Promise.allSettled(answering);
      // By then the answers are on their way.
      await setImmediate();
    },
  };
}

/** Member by member: objects that are made by spreading have no shape in common, and each keeps one of its own. */
function argsOf(
  begun: BegunOperation,
  id: string,
  { outlet }: SocketExtra,
): BegunOperation & SubscriptionArgs {
  const { contextValue, document, execute, operationName, schema, variableValues } = begun;
  return {
    id,
    outlet,
    schema,
    document,
    contextValue,
    execute,
    operationName,
    variableValues,
    rootValue: undefined,
  };
}

/** graphql-ws hands back what `onSubscribe` gave it, under its own narrower type. */
function handedBack(args: ExecutionArgs): BegunOperation & SubscriptionArgs {
  return args as BegunOperation & SubscriptionArgs;
}

/** The same over sockets: graphql-ws closes a socket with 4400 when an operation has no `query`. */
export function acceptPersistedQueries(protocol: Protocol): Protocol {
  return {
    ...protocol,
    opened: (socket, extra) =>
      protocol.opened(
        {
          ...socket,
          onMessage: (receive) => {
            socket.onMessage((message) => receive(withQuery(message)));
          },
        },
        extra,
      ),
  };
}

function withQuery(message: string): string {
  if (!message.includes('"persistedQuery"')) return message;
  try {
    const parsed = JSON.parse(message) as { readonly payload?: Readonly<Record<string, unknown>> };
    return parsed.payload
      ? JSON.stringify({ ...parsed, payload: withPersistedQuery(parsed.payload) })
      : message;
  } catch {
    // graphql-ws says what is wrong with it.
    return message;
  }
}
