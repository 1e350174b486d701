import type { FetcherParams } from '@graphiql/toolkit';
import { Kind, parse, type DocumentNode } from 'graphql';

/** What is to be run, and its document; that is undefined when it cannot be parsed. */
export interface CurrentOperation {
  readonly params: FetcherParams;
  readonly documentAST: DocumentNode | undefined;
}

/**
 * GraphiQL looks at a changed operation 100 ms later. Until then it names the one that stood there before, and takes a
 * subscription for a query. So the text itself is asked.
 */
export function currentOperation(params: FetcherParams): CurrentOperation {
  const documentAST = parsed(params.query);
  const operations = documentAST?.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) ?? [];
  const [only] = operations;
  if (operations.length !== 1 || only?.kind !== Kind.OPERATION_DEFINITION) return { params, documentAST };
  return { params: { ...params, operationName: only.name?.value ?? null }, documentAST };
}

function parsed(query: string): DocumentNode | undefined {
  try {
    return parse(query);
  } catch {
    // The gateway says what is wrong, and where.
    return undefined;
  }
}
