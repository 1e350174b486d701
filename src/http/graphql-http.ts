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
import { REFUSALS, sendGraphqlRefusal } from './graphql-refusal.ts';
import type { GraphqlParams } from '../engine/request-params.ts';

interface GraphqlHttpOptions<Context extends object> {
  readonly schema: GraphQLSchema;
  readonly documents: Documents;
  readonly context: (principal: Principal, reqId: string) => Context;
  readonly maskError: (error: unknown) => GraphQLError;
  readonly executed: typeof execute;
}

/** An operation that was let in. */
interface AskedOperation {
  readonly params: GraphqlParams;
  readonly principal: Principal;
  /** Names the request in the log. */
  readonly reqId: string;
}

/** Answers a query or mutation with JSON, as GraphQL over HTTP has it. */
export type AnswerOverHttp = (
  request: IncomingMessage,
  response: ServerResponse,
  asked: AskedOperation,
) => Promise<void>;

/** What graphql-http keeps for one request. */
interface Asked extends AskedOperation {
  /** Those that decide the status of its answer. */
  errors: readonly GraphQLError[];
}

export function createGraphqlHttp<Context extends object>(
  options: GraphqlHttpOptions<Context>,
): AnswerOverHttp {
  const { context, documents, executed, maskError, schema } = options;
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
      // With data of some field the operation did not fail as a whole, and sending it again would repeat that field.
      if (Object.values(result.data ?? {}).every((value) => value === null)) asked.errors = errors;
      return { ...result, errors };
    },
    formatError: (error) => (error instanceof GraphQLError ? formatted(error) : error),
  });

  /** A document to be executed, or what is wrong with it. */
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
    if (response.closed || response.destroyed) return;
    if (body === null) {
      sendGraphqlRefusal(request, response, REFUSALS.notAcceptable);
      return;
    }
    const told = httpOf(asked.errors);
    response.writeHead(told.status ?? init.status, {
      ...init.headers,
      ...told.headers,
      ...(method === 'GET' && { 'cache-control': 'no-store' }),
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  };
}

/** What errors say of the answer that tells them. */
interface HttpExtension {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The highest status counts. */
function httpOf(errors: readonly GraphQLError[]): HttpExtension {
  const told = errors.flatMap(({ extensions }) => (extensions.http as HttpExtension | undefined) ?? []);
  const statuses = told.flatMap(({ status }) => status ?? []);
  return {
    ...(statuses.length > 0 && { status: Math.max(...statuses) }),
    headers: Object.assign({}, ...told.map(({ headers }) => headers)) as Record<string, string>,
  };
}

/** As clients get it: what it says of the HTTP answer stands there. */
function formatted(error: GraphQLError): Error {
  const { extensions = {}, ...told } = error.toJSON();
  const rest = Object.entries(extensions).filter(([name]) => name !== 'http');
  return { ...told, ...(rest.length > 0 && { extensions: Object.fromEntries(rest) }) } as unknown as Error;
}

function refusal(
  message: string,
  code: string,
  { headers = {}, hint, status }: { status: number; hint: string; headers?: Record<string, string> },
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, hint, http: { status, headers } } });
}

const UNKNOWN_OPERATION = refusal(
  'Could not determine what operation to execute.',
  'OPERATION_RESOLUTION_FAILURE',
  {
    status: 400,
    hint: 'Send the name of one of the operations of the document as `operationName`.',
  },
);

const NEEDS_POST = refusal('A mutation needs a POST request.', 'BAD_REQUEST', {
  status: 405,
  hint: 'Send the same as the JSON body of a POST.',
  headers: { allow: 'POST' },
});

const NOT_A_STREAM = refusal('A subscription needs a WebSocket or an event stream.', 'BAD_REQUEST', {
  status: 406,
  hint: 'Connect a WebSocket with the protocol graphql-transport-ws, or send the header Accept: text/event-stream.',
});
