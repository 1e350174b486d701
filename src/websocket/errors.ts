import type { ExecutionResult, FormattedExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';

/** An error as clients get it: without the status and headers that its HTTP answer would have had. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const told = error.toJSON();
  if (told.extensions?.['http'] === undefined) return told;
  const extensions = Object.entries(told.extensions).filter(([name]) => name !== 'http');
  return { ...told, extensions: Object.fromEntries(extensions) };
}

/** The same for all errors of a result; undefined when it has none. */
export function formatResult(result: ExecutionResult): FormattedExecutionResult | undefined {
  return result.errors && { ...result, errors: result.errors.map(formatError) };
}
