import {
  GraphQLError,
  OperationTypeNode,
  getOperationAST,
  type execute,
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql';
import { createHandler, type OperationContext } from 'graphql-http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../auth/principal.ts';
import type { Documents } from '../engine/documents.ts';
import type { GraphqlParams } from '../engine/request-params.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import { refusal, retryLater, type Refusal } from '../limits/refusal.ts';
import { whenClosed } from './router.ts';

interface GraphqlHttpOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  readonly documents: Documents;
  readonly context: (principal: Principal, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly executed: typeof execute;
}

/** An operation whose client is authenticated. */
interface AskedOperation {
  readonly params: GraphqlParams;
  readonly principal: Principal;
  /** Names the request in the log. */
  readonly reqId: string;
}

/** Answers a query or mutation with JSON (GraphQL over HTTP), or returns why the request is refused. */
export type AnswerOverHttp = (
  request: IncomingMessage,
  response: ServerResponse,
  asked: AskedOperation,
) => Promise<Refusal | null>;

/** What graphql-http keeps for one request. */
interface Asked extends AskedOperation {
  /** The errors that decide the status of the response. */
  errors: readonly GraphQLError[];
}

/** Bytes of responses that one owner has asked for and not read yet. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Smaller responses do not count, such as those to mutations. */
const SMALL_BYTES = 256 * 1024;

export function createGraphqlHttp<Context extends object>(
  options: GraphqlHttpOptions<Context>,
): AnswerOverHttp {
  const { context, documents, executed, maskError, schema } = options;
  const unread = createConcurrencyLimit(MAX_UNREAD_BYTES);
  const handle = createHandler<IncomingMessage, Asked, OperationContext>({
    parseRequestParams: ({ context: { params } }) => params,
    onSubscribe({ context: asked, method }, { operationName = null, query, variables }) {
      const document = documentOf(query, operationName, method);
      if (!('kind' in document)) return (asked.errors = document);
      const contextValue = context(asked.principal, asked.reqId) as OperationContext;
      return { schema, document, operationName, variableValues: variables, contextValue };
    },
    execute: executed,
    onOperation({ context: asked }, _args, result) {
      // A query or mutation has one result.
      if (!('errors' in result)) return undefined;
      const errors = (result.errors ?? []).map(maskError);
      // An operation with data of some field did not fail as a whole: a retry would repeat that field.
      if (Object.values(result.data ?? {}).every((value) => value === null)) asked.errors = errors;
      return { ...result, errors };
    },
    formatError: (error) => (error instanceof GraphQLError ? formatted(error) : error),
  });

  /** The document to execute, or its errors. */
  function documentOf(
    query: string,
    operationName: string | null,
    method: string,
  ): DocumentNode | readonly GraphQLError[] {
    try {
      const document = documents.parse(query);
      const errors = documents.validate(document);
      if (errors.length > 0) return errors;
      const operation = getOperationAST(document, operationName)?.operation;
      if (!operation) return [UNKNOWN_OPERATION];
      if (operation === OperationTypeNode.SUBSCRIPTION) return [NOT_A_STREAM];
      return operation === OperationTypeNode.MUTATION && method === 'GET' ? [NEEDS_POST] : document;
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  return async (request, response, given) => {
    const { headers, method = '', url = '' } = request;
    const asked: Asked = { ...given, errors: [] };
    const [body, init] = await handle({ headers, method, url, body: null, raw: request, context: asked });
    if (response.closed || response.destroyed) return null;
    if (body === null) return NOT_ACCEPTABLE;
    const bytes = Buffer.byteLength(body);
    const { owner } = given.principal;
    if (bytes > SMALL_BYTES) {
      if (!unread.add(owner, bytes)) return TOO_MUCH_UNREAD;
      whenClosed(response, () => {
        unread.remove(owner, bytes);
      });
    }
    const http = httpOf(asked.errors);
    response.writeHead(http.status ?? init.status, {
      ...init.headers,
      ...http.headers,
      ...(method === 'GET' && { 'cache-control': 'no-store' }),
      'content-length': bytes,
    });
    response.end(body);
    return null;
  };
}

/** What errors say about the HTTP response that contains them. */
interface HttpExtension {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The highest status counts. */
function httpOf(errors: readonly GraphQLError[]): HttpExtension {
  const all = errors.flatMap(({ extensions }) => (extensions.http as HttpExtension | undefined) ?? []);
  const statuses = all.flatMap(({ status }) => status ?? []);
  return {
    ...(statuses.length > 0 && { status: Math.max(...statuses) }),
    headers: Object.assign({}, ...all.map(({ headers }) => headers)) as Record<string, string>,
  };
}

/** Without `extensions.http`, which is for the HTTP response. */
function formatted(error: GraphQLError): Error {
  const { extensions = {}, ...others } = error.toJSON();
  const rest = Object.entries(extensions).filter(([name]) => name !== 'http');
  return { ...others, ...(rest.length > 0 && { extensions: Object.fromEntries(rest) }) } as unknown as Error;
}

function errorOf({ code, headers = {}, hint, message, status }: Refusal): GraphQLError {
  return new GraphQLError(message, { extensions: { code, hint, http: { status, headers } } });
}

const UNKNOWN_OPERATION = errorOf(
  refusal(
    400,
    'Could not determine what operation to execute.',
    'Send the name of one of the operations of the document as `operationName`.',
    { code: 'OPERATION_RESOLUTION_FAILURE' },
  ),
);

const NEEDS_POST = errorOf(
  refusal(405, 'A mutation needs a POST request.', 'Send the same as the JSON body of a POST.', {
    code: 'BAD_REQUEST',
    headers: { allow: 'POST' },
  }),
);

const NOT_A_STREAM = errorOf(
  refusal(
    406,
    'A subscription needs a WebSocket or an event stream.',
    'Connect a WebSocket with the protocol graphql-transport-ws, or send the header Accept: text/event-stream.',
    { code: 'BAD_REQUEST' },
  ),
);

const TOO_MUCH_UNREAD = retryLater(
  429,
  'Too many large responses to this owner are unread.',
  1,
  'Read the responses to other requests, or try again in 1 s.',
);

const NOT_ACCEPTABLE = refusal(
  406,
  'The response has no media type that you accept.',
  'Accept application/graphql-response+json, application/json or text/event-stream.',
);
