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
    givenUp,
    maxDepthPlugin({ n: maxDepth, onReject: [refuse('levels of fields', maxDepth)] }),
    maxAliasesPlugin({ n: maxAliases, allowList: [], onReject: [refuse('aliases', maxAliases)] }),
    maxDirectivesPlugin({ n: maxDirectives, onReject: [refuse('directives', maxDirectives)] }),
  ];
}

/** How the parser begins to say so; other syntax errors repeat what was sent. */
const TOO_MANY_TOKENS = 'Syntax Error: Document contains more ';
/** What GraphQL's own checks say when they give up, for fields that repeat so often that comparing them takes too long. */
const GIVEN_UP = 'Validation aborted.';

const givenUp: Plugin = {
  onValidate:
    () =>
    ({ result, setResult }) => {
      const errors = result as readonly GraphQLError[];
      if (errors.some(({ message }) => message === GIVEN_UP))
        setResult([tooLarge('The operation repeats its fields too often.')]);
    },
};

function maxTokensPlugin(maxTokens: number): Plugin {
  return {
    onParse: ({ setParseFn }) => {
      setParseFn((source: string, options: object) => parse(source, { ...options, maxTokens }));
      return ({ result }) => {
        const isTooLong = result instanceof GraphQLError && result.message.startsWith(TOO_MANY_TOKENS);
        // Thrown, since the engine would answer a syntax error over some media types with 200.
        if (isTooLong) throw moreThan('words and signs', maxTokens);
      };
    },
  };
}

function refuse(what: string, limit: number): () => never {
  return () => {
    throw moreThan(what, limit);
  };
}

function moreThan(what: string, limit: number): GraphQLError {
  return tooLarge(`The operation has more than ${limit} ${what}.`);
}

function tooLarge(message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: {
      code: 'OPERATION_TOO_LARGE',
      hint: 'Split it into several smaller operations.',
      // Not `spec`: that would be answered with 200 over some media types.
      http: { status: 400, spec: false },
    },
  });
}
