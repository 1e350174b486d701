import {
  GraphQLError,
  OperationTypeNode,
  getOperationAST,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { PutOff } from './put-off.ts';

/** One operation's way through the engine: the same steps, limits and masks that an HTTP request meets. */
export interface Operation {
  readonly schema: GraphQLSchema;
  readonly parse: (source: string) => DocumentNode;
  readonly validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  readonly contextFactory: () => unknown;
  readonly execute: (args: ExecutionArgs) => unknown;
}

/** What graphql-ws hands to `execute` or `subscribe`. */
export interface BegunOperation extends ExecutionArgs {
  /** The engine's own; null for subscriptions. */
  readonly execute: Operation['execute'] | null;
}

/** Takes an operation up to its execution, or says why it does not come to that. */
export async function beginOperation(
  operation: Operation,
  { operationName: name, query, variables }: SubscribePayload,
  putOff: PutOff,
): Promise<BegunOperation | readonly GraphQLError[]> {
  const { execute, schema } = operation;
  // As over HTTP, an empty name means none.
  const operationName = name === '' ? null : name;
  try {
    const document = operation.parse(query);
    const node = getOperationAST(document, operationName);
    const refusal = node && putOff(node.operation);
    if (refusal) return [refusal];
    const errors = operation.validate(schema, document);
    if (errors.length > 0) return errors;
    if (!node) return [unknownOperation()];
    const contextValue = await operation.contextFactory();
    return {
      schema,
      document,
      contextValue,
      // A subscription does not need it, and would keep the engine's part of it as long as it lasts.
      execute: node.operation === OperationTypeNode.SUBSCRIPTION ? null : execute,
      operationName: operationName ?? null,
      variableValues: variables ?? {},
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function unknownOperation(): GraphQLError {
  const extensions = { code: 'OPERATION_RESOLUTION_FAILURE' };
  return new GraphQLError('Could not determine what operation to execute.', { extensions });
}
