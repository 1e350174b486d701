import { GraphQLError, type DocumentNode, type ExecutionArgs, type GraphQLSchema } from 'graphql';
import {
  makeServer,
  type Server as ProtocolServer,
  type ServerOptions,
  type SubscribePayload,
} from 'graphql-ws';
import type { SocketExtra } from './websocket-server.ts';

/** One operation's way through the engine: the same steps, limits and masks that an HTTP request meets. */
export interface Operation {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => unknown;
  readonly execute: (args: ExecutionArgs) => unknown;
  readonly subscribe: (args: ExecutionArgs) => unknown;
}

type EnginedArgs = ExecutionArgs & Pick<Operation, 'execute' | 'subscribe'>;
type OperationResult = ReturnType<NonNullable<ServerOptions['execute']>>;

/**
 * The graphql-transport-ws protocol over an engine. A document that does not parse or validate is answered with an
 * `error` message for its own operation; the socket and its other operations live on.
 */
export function createProtocol(begin: () => Operation): ProtocolServer<SocketExtra> {
  return makeServer<Record<string, unknown>, SocketExtra>({
    onSubscribe: async (_context, _id, payload) => prepare(begin(), payload),
    execute: (args) => run(args, 'execute'),
    subscribe: (args) => run(args, 'subscribe'),
  });
}

async function prepare(
  operation: Operation,
  { operationName, query, variables }: SubscribePayload,
): Promise<EnginedArgs | readonly GraphQLError[]> {
  const { execute, schema, subscribe } = operation;
  let document: DocumentNode;
  try {
    document = operation.parse(query);
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
  const errors = operation.validate(schema, document);
  if (errors.length > 0) return errors;
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
