import { GraphQLError } from 'graphql';
import { RequestError } from '../tasks/failure.ts';
import { StoreUnavailableError } from '../tasks/store.ts';

/**
 * What a client sees of an error: a request that cannot be answered as it was put, with its code; a store that is
 * away, as something to try again; anything unexpected, nothing but that it happened. The last two are given to `report`.
 */
export function createMaskError(report: (error: unknown) => void): (error: unknown) => GraphQLError {
  return (error) => {
    if (!(error instanceof GraphQLError)) return masked(error);
    const cause = error.originalError;
    // GraphQL's own: syntax, validation, variables, and what was made for clients.
    if (!cause || cause instanceof GraphQLError) return unmasked(error);
    return located(masked(cause), error);
  };

  function masked(cause: unknown): GraphQLError {
    if (cause instanceof RequestError) return ofRequest(cause);
    report(cause);
    if (cause instanceof StoreUnavailableError) return ofRequest(AWAY);
    return withCode('Something unexpected went wrong here.', 'INTERNAL_SERVER_ERROR');
  }
}

const AWAY = new RequestError('SERVICE_UNAVAILABLE', 'Tasks cannot be read or written right now.', 5000);

/** In place: the same error object is what the engine takes for not masked, and for expected. */
function unmasked(error: GraphQLError): GraphQLError {
  if (error.extensions['originalError'] !== undefined) {
    // The engine's account of a body that is no JSON: it repeats what was sent. Without it, the status has to be said.
    delete error.extensions['originalError'];
    error.extensions.http = { status: 400 };
  }
  // Only that variables do not fit is found without a code and before any field is resolved.
  if (error.path === undefined && error.extensions['code'] === undefined) {
    error.extensions['code'] = 'BAD_USER_INPUT';
    error.extensions.http = { status: 400 };
  }
  return error;
}

function ofRequest({ code, message, retryAfterMs }: RequestError): GraphQLError {
  if (retryAfterMs === null) return withCode(message, code);
  const retryAfter = Math.ceil(retryAfterMs / 1000);
  const status = code === 'RATE_LIMITED' ? 429 : 503;
  const http = { status, headers: { 'retry-after': String(retryAfter) } };
  const hint = `Try again in ${retryAfter} s.`;
  return new GraphQLError(message, { extensions: { code, hint, retryAfter, http } });
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
