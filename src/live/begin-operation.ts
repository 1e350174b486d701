import {
  GraphQLError,
  getOperationAST,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';

/** One operation's way through the engine: the same steps, limits and masks that an HTTP request meets. */
export interface Operation {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => unknown;
  readonly execute: (args: ExecutionArgs) => unknown;
  readonly subscribe: (args: ExecutionArgs) => unknown;
}

/** What graphql-ws hands to `execute` or `subscribe`, with the engine's own of both. */
export type BegunOperation = ExecutionArgs & Pick<Operation, 'execute' | 'subscribe'>;

/** Takes an operation up to its execution. `onBegun` is called when that has begun, or when it comes to nothing. */
export async function beginOperation(
  operation: Operation,
  { operationName, query, variables }: SubscribePayload,
  onBegun: () => void,
): Promise<BegunOperation | readonly GraphQLError[]> {
  const { execute, schema, subscribe } = operation;
  let isReady = false;
  try {
    const document = operation.parse(query);
    const errors = operation.validate(schema, document);
    if (errors.length > 0) return errors;
    if (!getOperationAST(document, operationName)) return [unknownOperation()];
    const contextValue = await operation.contextFactory();
    isReady = true;
    return {
      schema,
      document,
      contextValue,
      execute: andThen(execute, onBegun),
      subscribe: andThen(subscribe, onBegun),
      operationName: operationName ?? null,
      variableValues: variables ?? {},
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  } finally {
    if (!isReady) onBegun();
  }
}

function unknownOperation(): GraphQLError {
  const extensions = { code: 'OPERATION_RESOLUTION_FAILURE' };
  return new GraphQLError('Could not determine what operation to execute.', { extensions });
}

function andThen(
  start: (args: ExecutionArgs) => unknown,
  onEnd: () => void,
): (args: ExecutionArgs) => Promise<unknown> {
  return async (args) => {
    try {
      return await start(args);
    } finally {
      onEnd();
    }
  };
}
