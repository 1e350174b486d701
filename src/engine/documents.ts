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
import { limitRules, tooManyTokens, validationGaveUp, type OperationLimits } from './limits.ts';
import { PERSISTED_QUERY, persistedQueryNotSupported } from './request-params.ts';

/** Parses and validates the operations of every transport, with one cache of valid documents. */
export interface Documents {
  /** Throws a GraphQLError for text that is not a document. */
  parse(source: string): DocumentNode;
  /** What is wrong with a document; empty when it may be executed. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

interface DocumentsOptions {
  readonly schema: GraphQLSchema;
  readonly limits: OperationLimits;
  readonly introspection: boolean;
}

/** A parsed document takes up to 243 bytes of memory for each character (measured with one-letter fields). */
const BYTES_PER_CHARACTER = 256;
const MAX_BYTES = 32 * 1024 * 1024;
/**
 * Documents beyond either are parsed each time, because a few of them must not displace all others, and their errors name no
 * places: for each place of each error graphql-js counts the lines before it.
 * https://github.com/graphql/graphql-js/blob/v16.15.0/src/language/location.ts
 */
const MAX_KEPT_CHARACTERS = 16_384;
const MAX_KEPT_LINES = 1000;

export function createDocuments({ introspection, limits, schema }: DocumentsOptions): Documents {
  const rules = [
    ...specifiedRules,
    ...limitRules(limits),
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  // Only valid documents: anybody can make any number of others.
  const valid = new LRUCache<string, DocumentNode>({
    maxSize: MAX_BYTES,
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
      const source = document.loc?.source.body;
      if (source !== undefined && valid.peek(source) === document) return [];
      const errors = errorsOf(document);
      if (source !== undefined && errors.length === 0) valid.set(source, document);
      for (const error of errors) error.extensions['code'] ??= 'GRAPHQL_VALIDATION_FAILED';
      return errors;
    },
  };
}

function parseNew(source: string, maxTokens: number): DocumentNode {
  try {
    return parse(source, { maxTokens, noLocation: isLong(source) });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    error.extensions['code'] = 'GRAPHQL_PARSE_FAILED';
    throw tooManyTokens(error, maxTokens) ?? error;
  }
}

function isLong(source: string): boolean {
  return (
    source.length > MAX_KEPT_CHARACTERS ||
    source.split(/\r\n|[\n\r]/, MAX_KEPT_LINES + 1).length > MAX_KEPT_LINES
  );
}
