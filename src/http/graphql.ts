import { GraphQLError, OperationTypeNode, getOperationAST } from 'graphql';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from './body.ts';
import type { Authorize } from './authorize.ts';
import { optionsHeaders, type AllowOrigin } from './origins.ts';
import { type DirectRoute, whenClosed } from './router.ts';
import type { Documents } from '../engine/documents.ts';
import type { EventStreams } from './event-streams.ts';
import type { Forwarded } from './forwarded.ts';
import type { GraphiqlPage } from './pages.ts';
import { REFUSALS, ofRefusal, sendGraphqlRefusal, tooLarge, type GraphqlRefusal } from './graphql-refusal.ts';
import type { AnswerOverHttp } from './graphql-http.ts';
import { GRAPHQL_PATH, isGraphqlUrl, type Arrival, type Connection, type Graphql } from '../engine/yoga.ts';
import type { Overload } from '../limits/overload.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import type { InTurn } from '../limits/turns.ts';
import type { Principal } from '../auth/principal.ts';
import { operationNameIn, type RequestLog } from './request-log.ts';
import { readParams, type GraphqlParams } from '../engine/request-params.ts';

interface GraphqlRouteOptions {
  /** JSON over HTTP. */
  readonly answer: AnswerOverHttp;
  readonly admit: Authorize;
  readonly forwarded: Forwarded;
  readonly allowOrigin: AllowOrigin;
  /** When operations are begun. */
  readonly inTurn: InTurn;
  readonly maxBodyBytes: number;
  readonly overload: Overload;
  /** Null where there is none. */
  readonly page: GraphiqlPage | null;
  readonly streams: EventStreams;
  readonly requests: RequestLog;
}

/**
 * The GraphQL endpoint over HTTP, for all methods. Whatever speaks against a request is found before its body is read.
 * Clients that ask for an event stream are answered by Yoga, all others with JSON by graphql-http, and browsers that open
 * the address get GraphiQL, whoever they are.
 */
export function graphqlRoute<Context extends object>(
  { documents, engine }: Graphql<Context>,
  options: GraphqlRouteOptions,
): DirectRoute {
  const { admit, allowOrigin, answer, inTurn, maxBodyBytes, overload, page, requests, streams } = options;
  /** Bytes of the bodies of each owner that wait for their turn. */
  const waiting = createConcurrencyLimit(MAX_WAITING_BYTES);

  async function handle(request: IncomingMessage, response: ServerResponse, reqId: string): Promise<void> {
    allowOrigin(request, response);
    response.setHeader('vary', 'Accept, Origin');
    const unfit = misfitOf(request);
    if (unfit) sendGraphqlRefusal(request, response, unfit);
    else if (request.method === 'OPTIONS')
      response.writeHead(204, optionsHeaders(request, response, 'GET, POST')).end();
    else if (page?.fits(request)) page.send(response);
    else {
      const refusal = await answerOrRefuse(request, response, reqId);
      if (refusal) sendGraphqlRefusal(request, response, refusal);
    }
  }

  /** Answers an operation, or returns why it is refused. */
  async function answerOrRefuse(
    request: IncomingMessage,
    response: ServerResponse,
    reqId: string,
  ): Promise<GraphqlRefusal | null> {
    const { method } = request;
    if (method !== 'POST' && method !== 'GET') return REFUSALS.method;
    const overloaded = overload.refusal();
    if (overloaded) return ofRefusal(overloaded);
    const admission = await admit(request);
    if ('refusal' in admission) return ofRefusal(admission.refusal);
    const { principal } = admission;
    requests.note(request, { owner: principal.owner });
    if (request.destroyed) return null;
    const body = method === 'POST' ? await readBody(request, maxBodyBytes) : null;
    if (method === 'POST' && !body) return tooLarge(maxBodyBytes);
    const bytes = body?.length ?? 0;
    if (!waiting.add(principal.owner, bytes)) return REFUSALS.tooManyWaiting;
    return inTurn(principal.owner, () => {
      waiting.remove(principal.owner, bytes);
      return begin(request, response, { body, principal, reqId });
    });
  }

  async function begin(
    request: IncomingMessage,
    response: ServerResponse,
    { body, principal, reqId }: { body: Buffer | null; principal: Principal; reqId: string },
  ): Promise<GraphqlRefusal | null> {
    // Its client left while it waited.
    if (response.destroyed) return null;
    const params = paramsOf(request.url ?? '', body);
    if ('status' in params) return params;
    requests.note(request, { operation: operationNameIn(params) });
    if (isStream(request.headers.accept ?? '', params, documents))
      await stream(request, response, { principal, reqId, params });
    else await answer(request, response, { params, principal, reqId });
    return null;
  }

  async function stream(
    request: IncomingMessage,
    response: ServerResponse,
    arrival: Omit<Arrival, 'connection'>,
  ): Promise<void> {
    streams.watch(response);
    // Yoga takes the parameters from the arrival. It needs nothing of the address, and must not look for a body.
    request.headers.host = 'localhost';
    const read = Object.assign(request, { url: GRAPHQL_PATH, body: NO_BODY });
    await engine.handle(read, response, { ...arrival, connection: connectionOf(request, response, options) });
  }

  return { name: GRAPHQL_PATH, fits: ({ url = '' }) => isGraphqlUrl(url), handle };
}

/** So much text of one owner's operations may wait at a time. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

const NO_BODY = Buffer.from('{}');
const EVENT_STREAM = 'text/event-stream';
/** The media types between which an Accept header chooses. */
const TYPES = /text\/event-stream|application\/(?:graphql-response\+json|json|\*)|\*\/\*/;

/** Whether a client is to get an event stream. Who accepts JSON as well gets one for subscriptions. */
function isStream(accept: string, params: GraphqlParams, documents: Documents): boolean {
  const types = accept.toLowerCase();
  const [first] = TYPES.exec(types) ?? [];
  return first === EVENT_STREAM || (types.includes(EVENT_STREAM) && isSubscription(params, documents));
}

function isSubscription({ operationName, query }: GraphqlParams, documents: Documents): boolean {
  try {
    const operation = getOperationAST(documents.parse(query), operationName);
    return operation?.operation === OperationTypeNode.SUBSCRIPTION;
  } catch {
    // Both roads say what is wrong with it.
    return false;
  }
}

const ENDPOINT = /^(?:https?:\/\/[^/?#]*)?\/graphql\/?(?:\?|$)/i;

/** What is wrong with the address or the headers of a request; null when nothing is. */
function misfitOf({ headers, method, url = '' }: IncomingMessage): GraphqlRefusal | null {
  if (!ENDPOINT.test(url)) return REFUSALS.elsewhere;
  if ('sec-websocket-key' in headers || headers.upgrade?.toLowerCase() === 'websocket')
    return REFUSALS.lostUpgrade;
  if (method !== 'POST') return null;
  return isJson(headers['content-type']) ? null : REFUSALS.notJson;
}

/** What a web form can send, a page of another origin could send in the name of its reader. */
function isJson(contentType = ''): boolean {
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

function paramsOf(url: string, body: Buffer | null): GraphqlParams | GraphqlRefusal {
  try {
    return readParams(url, body);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const { code, hint } = error.extensions;
    return { status: 400, message: error.message, code: String(code), hint: String(hint) };
  }
}

function connectionOf(
  request: IncomingMessage,
  response: ServerResponse,
  { forwarded, streams }: GraphqlRouteOptions,
): Connection {
  return {
    address: () => forwarded.addressOf(request),
    onClosed: (run) => {
      whenClosed(response, run);
    },
    endStream: () => {
      streams.end(response);
    },
  };
}
