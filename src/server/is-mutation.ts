import { OperationTypeNode, getOperationAST, parse, type DocumentNode } from 'graphql';

/** Whether the body of a request asks for a mutation; false for what cannot be read. */
export type IsMutation = (body: unknown) => boolean;

/** Finds that out before anything else is done, by the documents that were parsed before where it can. */
export function createIsMutation(
  documents: { readonly get: (source: string) => DocumentNode | undefined },
  maxTokens: number,
): IsMutation {
  return (body) => {
    if (!Buffer.isBuffer(body)) return false;
    try {
      const { operationName, query } = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
      const source = String(query);
      const document = documents.get(source) ?? parse(source, { maxTokens, noLocation: true });
      const name = typeof operationName === 'string' ? operationName : null;
      return getOperationAST(document, name)?.operation === OperationTypeNode.MUTATION;
    } catch {
      return false;
    }
  };
}
