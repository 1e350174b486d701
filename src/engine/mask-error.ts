import { GraphQLError } from 'graphql';
import { RequestError } from '../tasks/failure.ts';
import { StoreUnavailableError } from '../tasks/store.ts';

/**
 * Returns what a client sees of an error. A RequestError keeps its code and message. An unavailable store becomes
 * SERVICE_UNAVAILABLE. Any other error becomes INTERNAL_SERVER_ERROR without details. The last two go to `report`.
 */
export function createMaskError(report: (error: unknown) => void): (error: unknown) => GraphQLError {
  return (error) => {
    if (!(error instanceof GraphQLError)) return masked(error);
    const cause = error.originalError;
    // Errors of graphql-js (syntax, validation, variables) and errors that were made for clients.
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

/** Changes the error in place: the engine treats a different object as masked and unexpected. */
function unmasked(error: GraphQLError): GraphQLError {
  if (error.extensions['originalError'] !== undefined) {
    // The engine's error for invalid JSON repeats what was sent. Without it, the status must be set.
    delete error.extensions['originalError'];
    error.extensions.http = { status: 400 };
  }
  // Invalid variables are the only error without a code that occurs before a field is resolved.
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
