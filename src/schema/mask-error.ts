import { GraphQLError } from 'graphql';
import { RequestError } from '../tasks/request-error.ts';
import { StoreUnavailableError } from '../tasks/store.ts';

/**
 * What a client is told of an error: a request that cannot be answered as it was put, with its code; a store that is
 * away, as something to try again; anything unexpected, nothing but that it happened. The last two are given to `report`.
 */
export function createMaskError(report: (error: unknown) => void): (error: unknown) => GraphQLError {
  return (error) => {
    if (!(error instanceof GraphQLError)) return masked(error);
    const cause = error.originalError;
    // GraphQL's own: syntax, validation, variables, and what resolvers made for clients.
    if (!cause || cause instanceof GraphQLError) return error;
    return located(masked(cause), error);
  };

  function masked(cause: unknown): GraphQLError {
    if (cause instanceof RequestError) return told(cause);
    report(cause);
    if (cause instanceof StoreUnavailableError)
      return withCode(
        'Tasks cannot be read or written right now. Try again in a moment.',
        'SERVICE_UNAVAILABLE',
      );
    return withCode('Something unexpected went wrong here.', 'INTERNAL_SERVER_ERROR');
  }
}

function told({ code, message, retryAfterMs }: RequestError): GraphQLError {
  if (retryAfterMs === null) return withCode(message, code);
  const retryAfter = Math.ceil(retryAfterMs / 1000);
  const http = { status: 429, headers: { 'retry-after': String(retryAfter) } };
  return new GraphQLError(message, { extensions: { code, retryAfter, http } });
}

function withCode(message: string, code: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

function located({ extensions, message }: GraphQLError, at: GraphQLError): GraphQLError {
  return new GraphQLError(message, {
    nodes: at.nodes ?? null,
    path: at.path ?? null,
    positions: at.positions ?? null,
    source: at.source ?? null,
    extensions,
  });
}
