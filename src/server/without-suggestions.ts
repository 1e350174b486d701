import type { GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';

/** Takes out of errors which names of the schema might have been meant: those of fields, arguments, types and values alike. */
export const withoutSuggestions: Plugin = {
  onValidate:
    () =>
    ({ result }) => {
      forget(result as readonly GraphQLError[]);
    },
  // What is wrong with variables is found only here.
  onExecute: () => ({
    onExecuteDone: ({ result }) => {
      if (!isAsyncIterable(result)) forget(result.errors);
    },
  }),
  onSubscribe: () => ({
    onSubscribeResult: ({ result }) => {
      if (!isAsyncIterable(result)) forget(result.errors);
    },
  }),
};

/** In place: the same error object is what the engine takes for expected. */
function forget(errors: readonly GraphQLError[] | undefined): void {
  for (const error of errors ?? []) error.message = error.message.replace(/ ?Did you mean .*\?$/s, '');
}
