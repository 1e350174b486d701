import { OperationTypeNode, getOperationAST, type ExecutionResult } from 'graphql';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Operation } from '../live/begin-operation.ts';
import type { Arrival, Connection, Graphql } from './graphql.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { PlainParams, PlainRequest } from './plain-request.ts';

/** One request, and all that is known of it. */
export interface PlainCall {
  /** With its body, for the engine. */
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly arrival: Arrival & { readonly connection: Connection };
  readonly plain: PlainRequest;
}

/**
 * The short road to the engine and back. Its request layer costs several times what parsing, validating and executing
 * does, all from caches: so a plain request takes the same steps, with the same plugins, without it. Only a result of
 * nothing but data is sent from here, with what the engine would send; every other outcome is handed to the engine to be
 * told in its own way.
 */
export function createPlainRoad<Context extends object>(
  graphql: Graphql<Context>,
  mayCall: OriginPolicy,
): (call: PlainCall) => Promise<void> {
  // Each look at the engine's members makes a function.
  const { getEnveloped } = graphql;

  return async ({ arrival, plain, request, response }) => {
    const { mediaType, params } = plain;
    // In its plugins the engine tells by these two that an operation came over HTTP.
    const seen = { ...arrival, request: { method: 'POST' }, params };
    const running = run(() => getEnveloped(seen), params);
    const result = await running.catch(() => FAILED);
    if (result === NOT_RUN) await graphql.handle(request, response, arrival);
    else if (!isDataAlone(result)) await graphql.handle(request, response, { ...arrival, outcome: running });
    else if (!response.closed && !response.destroyed) {
      const { origin } = request.headers;
      const isReadable = origin !== undefined && mayCall(origin, arrival.connection.host);
      send(response, JSON.stringify(result), {
        'content-type': `${mediaType}; charset=utf-8`,
        ...(isReadable && { 'access-control-allow-origin': origin }),
      });
    }
  };
}

const FAILED: ExecutionResult = { errors: [] };
const NOT_RUN: ExecutionResult = {};

/** NOT_RUN, before anything has happened, for a subscription. */
async function run(
  begin: () => Operation,
  { operationName, query, variables }: PlainParams,
): Promise<ExecutionResult> {
  const { contextFactory, execute, parse, schema, validate } = begin();
  const document = parse(query);
  const errors = validate(schema, document);
  if (errors.length > 0) return { errors };
  if (getOperationAST(document, operationName)?.operation === OperationTypeNode.SUBSCRIPTION) return NOT_RUN;
  const contextValue = await contextFactory();
  const args = { schema, document, contextValue, variableValues: variables, operationName };
  return execute(args) as ExecutionResult;
}

/** What has nothing in it that says anything of its status or headers. */
function isDataAlone(result: ExecutionResult): boolean {
  return 'data' in result && Object.keys(result).length === 1;
}

function send(response: ServerResponse, body: string, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(body), vary: 'Origin' });
  response.end(body);
}
