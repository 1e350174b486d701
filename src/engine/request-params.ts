import { GraphQLError } from 'graphql';
import type { RequestParams } from 'graphql-http';

/** The parameters of an operation in an HTTP request. */
export type GraphqlParams = RequestParams;

/**
 * Reads the parameters from the URL of a GET or the body of a POST. Unknown members are ignored (GraphQL over HTTP). Throws a
 * GraphQLError for a malformed request.
 */
export function readParams(url: string, body: Buffer | null): GraphqlParams {
  const given = withPersistedQuery(body === null ? paramsOfUrl(url) : paramsOfBody(body));
  const { extensions, operationName, query, variables } = given;
  if (query === undefined || query === null)
    throw malformed('There is no query string.', 'Send it as `query`.');
  if (typeof query !== 'string')
    throw malformed('"query" is not a string.', 'Send the text of the operation.');
  if (!isMissing(operationName) && typeof operationName !== 'string')
    throw malformed('"operationName" is not a string.', 'Send the name of an operation, or leave it out.');
  return {
    query,
    // Forms and query strings have no null, so an empty name means none.
    operationName: operationName === '' ? null : operationName,
    variables: objectOrNone('variables', variables),
    extensions: objectOrNone('extensions', extensions),
  };
}

type Given = Readonly<Record<string, unknown>>;

function paramsOfBody(body: Buffer): Given {
  const json = parsed(body.toString(), 'The body is invalid JSON.');
  if (Array.isArray(json))
    throw malformed('Batches are not supported.', 'Send one operation in each request.');
  if (!isObject(json))
    throw malformed('The body is not a JSON object.', 'Send an object with the member `query`.');
  return json;
}

function paramsOfUrl(url: string): Given {
  const start = url.indexOf('?');
  const search = new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
  const given = Object.fromEntries(
    ['query', 'operationName'].map((name) => [name, search.get(name) ?? undefined]),
  );
  for (const name of ['variables', 'extensions']) {
    const text = search.get(name);
    if (text !== null && text !== '')
      Object.assign(given, { [name]: parsed(text, `"${name}" is invalid JSON.`) });
  }
  return given;
}

function objectOrNone(name: string, value: unknown): Record<string, unknown> | null | undefined {
  if (isMissing(value)) return value;
  if (isObject(value)) return value;
  throw malformed(`"${name}" is not an object.`, 'Send a JSON object, or leave it out.');
}

function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string, complaint: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message repeats what was sent.
    throw malformed(complaint, 'Send JSON as RFC 8259 defines it.');
  }
}

function malformed(message: string, hint: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', hint, http: { status: 400 } } });
}

/**
 * Stands for the text of an operation whose client sent only its hash. `Documents.parse` refuses it, so that every
 * transport gives the same answer.
 */
export const PERSISTED_QUERY = '# automatic persisted query';

/**
 * After this error, Apollo Client and urql send the text of the operation. The status is that of Apollo Server:
 * https://github.com/apollographql/apollo-server/blob/main/packages/server/src/internalErrorClasses.ts
 */
export function persistedQueryNotSupported(): GraphQLError {
  return new GraphQLError('PersistedQueryNotSupported', {
    extensions: {
      code: 'PERSISTED_QUERY_NOT_SUPPORTED',
      hint: 'Send the text of the operation as `query`.',
      http: { status: 200, spec: false },
    },
  });
}

/** The parameters of an operation, with a `query` in any case if they name a persisted one. */
export function withPersistedQuery<Params extends Readonly<Record<string, unknown>>>(params: Params): Params {
  const { extensions, query } = params;
  const isPersisted =
    (query === undefined || query === null || query === '') &&
    typeof extensions === 'object' &&
    extensions !== null &&
    'persistedQuery' in extensions;
  return isPersisted ? { ...params, query: PERSISTED_QUERY } : params;
}
