import type { ExecutionResult } from 'graphql';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../access/caller.ts';
import type { Arrival, Connection, Graphql } from './graphql.ts';
import { isDataAlone } from './is-data-alone.ts';
import type { PlainRequest } from './plain-request.ts';
import type { Check } from './run-operation.ts';
import type { SendJson } from './send-json.ts';

/** One request, and all that is known of it. */
export interface PlainCall {
  /** With its body, for the engine. */
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly caller: Caller;
  readonly arrival: Arrival & { readonly connection: Connection };
  readonly plain: PlainRequest;
}

/**
 * The short road to an answer and back. The engine's layers cost many times what parsing, validating and executing do, all
 * from caches: so a plain request does without them. Only a result of nothing but data is sent from here, with what the
 * engine would send; every other outcome is handed to the engine to be told in its own way.
 */
export function createPlainRoad<Context extends object>(
  { engine, run }: Graphql<Context>,
  sendJson: SendJson,
): (call: PlainCall) => Promise<void> {
  // Each look at the engine's members makes a function.
  const { getEnveloped } = engine;

  return async ({ arrival, caller, plain, request, response }) => {
    const { mediaType, params } = plain;
    // In its plugins the engine tells by these two that an operation came over HTTP.
    const check = (): Check => getEnveloped({ ...arrival, request: { method: 'POST' }, params });
    const running = run(params, { caller, reqId: arrival.reqId }, check);
    const result = await running.catch(() => FAILED);
    if (!result) await engine.handle(request, response, arrival);
    else if (!isDataAlone(result))
      await engine.handle(request, response, { ...arrival, outcome: running as Promise<ExecutionResult> });
    else {
      const { origin } = request.headers;
      const host = arrival.connection.host();
      sendJson(response, { status: 200, json: JSON.stringify(result), mediaType, origin, host });
    }
  };
}

const FAILED: ExecutionResult = { errors: [] };
