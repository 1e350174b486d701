import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { GraphQLError, parse } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** How large an operation may be. */
export interface OperationLimits {
  readonly maxDepth: number;
  readonly maxAliases: number;
  readonly maxDirectives: number;
  readonly maxTokens: number;
}

/** Refuses operations that are larger than allowed while they are parsed and validated, on every door. */
export function operationLimits(limits: OperationLimits): Plugin[] {
  const { maxAliases, maxDepth, maxDirectives, maxTokens } = limits;
  return [
    maxTokensPlugin(maxTokens),
    maxDepthPlugin({ n: maxDepth, onReject: [refuse('levels of fields', maxDepth)] }),
    maxAliasesPlugin({ n: maxAliases, allowList: [], onReject: [refuse('aliases', maxAliases)] }),
    maxDirectivesPlugin({ n: maxDirectives, onReject: [refuse('directives', maxDirectives)] }),
  ];
}

function maxTokensPlugin(maxTokens: number): Plugin {
  return {
    onParse: ({ setParseFn }) => {
      setParseFn((source: string, options: object) => {
        try {
          return parse(source, { ...options, maxTokens });
        } catch (error) {
          const isTooLong = error instanceof GraphQLError && error.message.includes(`${maxTokens} tokens`);
          throw isTooLong ? tooLarge('words and signs', maxTokens) : error;
        }
      });
    },
  };
}

function refuse(what: string, limit: number): () => never {
  return () => {
    throw tooLarge(what, limit);
  };
}

function tooLarge(what: string, limit: number): GraphQLError {
  return new GraphQLError(`The operation has more than ${limit} ${what}.`, {
    extensions: {
      code: 'OPERATION_TOO_LARGE',
      hint: 'Split it into several smaller operations.',
      http: { status: 400 },
    },
  });
}
