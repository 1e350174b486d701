import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { limitRules, tooManyTokens, validationGaveUp, type OperationLimits } from './operation-limits.ts';
import { PERSISTED_QUERY, persistedQueryNotSupported } from './persisted-queries.ts';

/** Parses and validates the operations of every transport, with one cache of valid documents. */
export interface Documents {
  /** Throws a GraphQLError for text that is not a document. */
  parse(source: string): DocumentNode;
  /** What is wrong with a document; empty when it may be executed. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

export interface DocumentsOptions {
  readonly schema: GraphQLSchema;
  readonly limits: OperationLimits;
  readonly introspection: boolean;
}

/** A parsed document takes up to 243 bytes of memory for each character (measured with one-letter fields). */
const BYTES_PER_CHARACTER = 256;
const MAX_BYTES = 32 * 1024 * 1024;
/** Longer documents are parsed each time: a few of them must not displace all others. */
const MAX_DOCUMENT_BYTES = 16_384 * BYTES_PER_CHARACTER;

export function createDocuments({ introspection, limits, schema }: DocumentsOptions): Documents {
  const rules = [
    ...specifiedRules,
    ...limitRules(limits),
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  // Only valid documents: anybody can make any number of others.
  const valid = new LRUCache<string, DocumentNode>({
    maxSize: MAX_BYTES,
    maxEntrySize: MAX_DOCUMENT_BYTES,
    sizeCalculation: (_document, source) => Math.max(1, source.length) * BYTES_PER_CHARACTER,
  });

  function errorsOf(document: DocumentNode): readonly GraphQLError[] {
    try {
      const errors = validate(schema, document, rules, { hideSuggestions: !introspection });
      return validationGaveUp(errors) ?? errors;
    } catch (error) {
      // The rules of limits throw, so that nothing else of the document is looked at.
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  return {
    parse(source) {
      if (source === PERSISTED_QUERY) throw persistedQueryNotSupported();
      return valid.get(source) ?? parseNew(source, limits.maxTokens);
    },
    validate(document) {
      const source = document.loc?.source.body ?? '';
      if (valid.peek(source) === document) return [];
      const errors = errorsOf(document);
      if (errors.length === 0) valid.set(source, document);
      for (const error of errors) error.extensions['code'] ??= 'GRAPHQL_VALIDATION_FAILED';
      return errors;
    },
  };
}

function parseNew(source: string, maxTokens: number): DocumentNode {
  try {
    return parse(source, { maxTokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    error.extensions['code'] = 'GRAPHQL_PARSE_FAILED';
    throw tooManyTokens(error, maxTokens) ?? error;
  }
}
