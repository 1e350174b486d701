import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesRule } from '@escape.tech/graphql-armor-max-directives';
import { GraphQLError, type ValidationRule } from 'graphql';

/** How large an operation may be. */
export interface OperationLimits {
  readonly maxDepth: number;
  readonly maxAliases: number;
  readonly maxDirectives: number;
  readonly maxTokens: number;
}

/** Validation rules that throw a GraphQLError for an operation that is too large. */
export function limitRules(limits: OperationLimits): ValidationRule[] {
  const { maxAliases, maxDepth, maxDirectives } = limits;
  return [
    maxDepthRule({ n: maxDepth, onReject: [refuse('levels of fields', maxDepth)] }),
    maxAliasesRule({ n: maxAliases, allowList: [], onReject: [refuse('aliases', maxAliases)] }),
    maxDirectivesRule({ n: maxDirectives, onReject: [refuse('directives', maxDirectives)] }),
  ];
}

/** How graphql-js begins to say so; other syntax errors repeat what was sent. */
const TOO_MANY_TOKENS = 'Syntax Error: Document contains more ';
/** What graphql-js says for fields that repeat so often that comparing them would take too long. */
const GAVE_UP = 'Validation aborted.';

/** The refusal that a syntax error stands for; null for other errors. */
export function tooManyTokens({ message }: GraphQLError, maxTokens: number): GraphQLError | null {
  return message.startsWith(TOO_MANY_TOKENS) ? moreThan('words and signs', maxTokens) : null;
}

/** The refusal of a document that graphql-js stopped validating; null when it came to the end. */
export function validationGaveUp(errors: readonly GraphQLError[]): readonly GraphQLError[] | null {
  return errors.some(({ message }) => message === GAVE_UP)
    ? [tooLarge('The operation repeats its fields too often.')]
    : null;
}

/**
 * Counts the items that the lists of one operation may have together, by their `first`. The returned function throws for
 * the list that is too many.
 */
export function limitListItems(maxItems: number): (first: number) => void {
  let left = maxItems;
  return (first) => {
    left -= Math.max(0, first);
    if (left < 0)
      throw tooLarge(
        `The lists of the operation ask for more than ${maxItems} items together.`,
        SMALLER_PAGES,
      );
  };
}

/** As many as a page of 100 tasks with the longest prompts. */
const MAX_TEXT_CHARACTERS = 2_000_000;

/** Counts long texts of an operation's response. Throws beyond what its response may hold, which aliases could repeat. */
export function limitText(): (text: string) => void {
  let left = MAX_TEXT_CHARACTERS;
  return ({ length }) => {
    left -= length;
    if (left < 0)
      throw tooLarge(
        `The texts of the response have more than ${MAX_TEXT_CHARACTERS} characters together.`,
        SMALLER_PAGES,
      );
  };
}

const SPLIT = 'Split it into several smaller operations.';
const SMALLER_PAGES =
  'Ask for fewer items with `first`, and for the others with `after` in further operations.';

function refuse(what: string, limit: number): () => never {
  return () => {
    throw moreThan(what, limit);
  };
}

function moreThan(what: string, limit: number): GraphQLError {
  return tooLarge(`The operation has more than ${limit} ${what}.`);
}

function tooLarge(message: string, hint = SPLIT): GraphQLError {
  return new GraphQLError(message, {
    // Without `spec: false` Yoga would answer with 200 over some media types.
    extensions: { code: 'OPERATION_TOO_LARGE', hint, http: { status: 400, spec: false } },
  });
}
