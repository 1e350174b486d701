import { GraphQLError, type DocumentNode, type ExecutionArgs, type GraphQLSchema } from 'graphql';
import {
  makeServer,
  type Context as ConnectionContext,
  type Server as ProtocolServer,
  type ServerOptions,
  type SubscribePayload,
} from 'graphql-ws';
import type { Caller } from '../access/caller.ts';
import type { SocketExtra } from './socket-extra.ts';
import type { Welcome } from './welcome.ts';

/** One operation's way through the engine: the same steps, limits and masks that an HTTP request meets. */
export interface Operation {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => unknown;
  readonly execute: (args: ExecutionArgs) => unknown;
  readonly subscribe: (args: ExecutionArgs) => unknown;
}

export interface ProtocolOptions {
  readonly begin: (caller: Caller) => Operation;
  /** Decides on each connection_init. */
  readonly welcome: Welcome;
  /** How many operations may run on one socket at a time. */
  readonly maxSubscriptions: number;
}

type Connection = ConnectionContext<Record<string, unknown>, SocketExtra>;
type EnginedArgs = ExecutionArgs & Pick<Operation, 'execute' | 'subscribe'>;
type OperationResult = ReturnType<NonNullable<ServerOptions['execute']>>;

/**
 * The graphql-transport-ws protocol over an engine. An operation that is not let through is answered with an `error`
 * message of its own; the socket and its other operations live on.
 */
export function createProtocol(options: ProtocolOptions): ProtocolServer<SocketExtra> {
  const { begin, maxSubscriptions, welcome } = options;
  return makeServer<Record<string, unknown>, SocketExtra>({
    onConnect: ({ connectionParams, extra }) => welcome(connectionParams, extra),
    onSubscribe: async (connection, _id, payload) => {
      const { caller } = connection.extra;
      if (!caller) throw new Error('an operation came before its caller was known');
      const refusal = refuse(connection, maxSubscriptions);
      return refusal ? [refusal] : prepare(begin(caller), payload);
    },
    execute: (args) => run(args, 'execute'),
    subscribe: (args) => run(args, 'subscribe'),
  });
}

function refuse({ extra, subscriptions }: Connection, maxSubscriptions: number): GraphQLError | null {
  const waitMs = extra.takeOperation();
  if (waitMs > 0) {
    const retryAfter = Math.ceil(waitMs / 1000);
    return rejected('RATE_LIMITED', 'Too many operations on this socket.', `Try again in ${retryAfter} s.`, {
      retryAfter,
    });
  }
  // The new one is counted already.
  if (Object.keys(subscriptions).length <= maxSubscriptions) return null;
  return rejected(
    'TOO_MANY_SUBSCRIPTIONS',
    `More than ${maxSubscriptions} operations at a time on this socket.`,
    'Complete some first, follow several tasks with one tasksUpdated, or open another socket.',
  );
}

function rejected(code: string, message: string, hint: string, more: object = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, hint, ...more } });
}

async function prepare(
  operation: Operation,
  { operationName, query, variables }: SubscribePayload,
): Promise<EnginedArgs | readonly GraphQLError[]> {
  const { execute, schema, subscribe } = operation;
  let document: DocumentNode;
  try {
    document = operation.parse(query);
    const errors = operation.validate(schema, document);
    if (errors.length > 0) return errors;
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
  const contextValue = await operation.contextFactory();
  return {
    schema,
    document,
    contextValue,
    execute,
    subscribe,
    operationName: operationName ?? null,
    variableValues: variables ?? {},
  };
}

/** graphql-ws hands back what `prepare` gave it, under its own narrower type. */
function run(args: ExecutionArgs, verb: 'execute' | 'subscribe'): OperationResult {
  return (args as EnginedArgs)[verb](args) as OperationResult;
}
