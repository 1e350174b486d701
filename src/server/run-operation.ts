import {
  OperationTypeNode,
  execute,
  getOperationAST,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';
import type { Caller } from '../access/caller.ts';
import type { Operation } from '../live/begin-operation.ts';
import type { Execute } from './compiled-execution.ts';
import type { PlainParams } from './plain-request.ts';

/** The engine's way to a document: with its caches, limits and rules. */
export type Check = Pick<Operation, 'parse' | 'schema' | 'validate'>;

export interface RunOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  readonly context: (caller: Caller, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  /** Executes queries. */
  readonly executeQuery: Execute;
  /** Operations that were parsed before. */
  readonly documents: { readonly get: (source: string) => DocumentNode | undefined };
}

/** Who sends an operation, and what names the request in the log. */
export interface Requester {
  readonly caller: Caller;
  readonly reqId: string;
}

/**
 * Runs a query or mutation; null, before anything has happened, for what is not valid, does not fit its variables, or is a
 * subscription. `check` is called for documents that have not come through it before.
 */
export type RunOperation = (
  params: PlainParams,
  from: Requester,
  check: () => Check,
) => Promise<ExecutionResult | null>;

/** What the engine does with an operation, without its hooks, of which none changes what a valid operation comes to. */
export function createRunOperation<Context extends object>(options: RunOptions<Context>): RunOperation {
  const { context, documents, executeQuery, maskError, schema } = options;
  const valid = new WeakSet<DocumentNode>();

  function validDocument(query: string, check: () => Check): DocumentNode | null {
    const known = documents.get(query);
    if (known && valid.has(known)) return known;
    const document = checked(query, check());
    if (document) valid.add(document);
    return document;
  }

  return async ({ operationName, query, variables }, { caller, reqId }, check) => {
    const document = validDocument(query, check);
    const operation = document && getOperationAST(document, operationName)?.operation;
    if (!operation || operation === OperationTypeNode.SUBSCRIPTION) return null;
    const contextValue = context(caller, reqId);
    const run = operation === OperationTypeNode.QUERY ? executeQuery : execute;
    const result = await run({ schema, document, contextValue, variableValues: variables, operationName });
    if (result.errors === undefined) return result;
    // Without data nothing was resolved.
    return 'data' in result ? { ...result, errors: result.errors.map(maskError) } : null;
  };
}

/** Null when there is something to be said against it. */
function checked(query: string, { parse, schema, validate }: Check): DocumentNode | null {
  try {
    const document = parse(query);
    return validate(schema, document).length === 0 ? document : null;
  } catch {
    return null;
  }
}
