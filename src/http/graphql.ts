import { getOperationAST, GraphQLError, OperationTypeNode } from 'graphql';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../auth/principal.ts';
import type { Documents } from '../engine/documents.ts';
import { readParams, type GraphqlParams } from '../engine/request-params.ts';
import { GRAPHQL_PATH, type Arrival, type Connection, type Graphql } from '../engine/yoga.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import type { Overload } from '../limits/overload.ts';
import { refusal, retryLater, type Refusal } from '../limits/refusal.ts';
import type { InTurn } from '../limits/turns.ts';
import type { Authorize } from './authorize.ts';
import { readBody } from './body.ts';
import type { EventStreams } from './event-streams.ts';
import type { Forwarded } from './forwarded.ts';
import type { AnswerOverHttp } from './graphql-http.ts';
import { sendGraphqlRefusal } from './problem.ts';
import { operationNameIn, type RequestLog } from './request-log.ts';
import { whenClosed, type Route } from './router.ts';

interface GraphqlRouteOptions {
  /** Answers with JSON. */
  readonly answer: AnswerOverHttp;
  readonly authorize: Authorize;
  readonly forwarded: Forwarded;
  /** Schedules the start of operations. */
  readonly inTurn: InTurn;
  readonly maxBodyBytes: number;
  readonly overload: Overload;
  readonly streams: EventStreams;
  readonly requests: RequestLog;
}

/**
 * The GraphQL endpoint over HTTP. All checks that need no body come before the body is read. Yoga answers clients that ask for
 * an event stream, and graphql-http answers all others with JSON.
 */
export function graphqlRoute<Context extends object>(
  { documents, engine }: Graphql<Context>,
  options: GraphqlRouteOptions,
): Route {
  const { authorize, answer, inTurn, maxBodyBytes, overload, requests, streams } = options;
  /** Bytes of the bodies of each owner that wait for their turn. */
  const waiting = createConcurrencyLimit(MAX_WAITING_BYTES);

  /** Answers an operation, or returns why it is refused. */
  async function answerOrRefuse(
    request: IncomingMessage,
    response: ServerResponse,
    reqId: string,
  ): Promise<Refusal | null> {
    const isPost = request.method === 'POST';
    const refused = misfitOf(request) ?? overload.refusal();
    if (refused) return refused;
    const authorization = await authorize(request);
    if ('refusal' in authorization) return authorization.refusal;
    const { principal } = authorization;
    requests.note(request, { owner: principal.owner });
    if (request.destroyed) return null;
    const body = isPost ? await readBody(request, maxBodyBytes) : null;
    if (isPost && !body) return tooLarge(maxBodyBytes);
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
  ): Promise<Refusal | null> {
    // The client left while the operation waited.
    if (response.destroyed) return null;
    const params = paramsOf(request.url ?? '', body);
    if ('status' in params) return params;
    requests.note(request, { operation: operationNameIn(params) });
    const asked = { params, principal, reqId };
    if (isStream(request.headers.accept ?? '', params, documents)) {
      await stream(request, response, asked);
      return null;
    }
    return answer(request, response, asked);
  }

  async function stream(
    request: IncomingMessage,
    response: ServerResponse,
    arrival: Omit<Arrival, 'connection'>,
  ): Promise<void> {
    streams.watch(response);
    // Yoga takes the parameters from the arrival. It must not look at the URL, or read the body again.
    request.headers.host = 'localhost';
    const read = Object.assign(request, { url: GRAPHQL_PATH, body: NO_BODY });
    await engine.handle(read, response, { ...arrival, connection: connectionOf(request, response, options) });
  }

  return {
    name: GRAPHQL_PATH,
    methods: ['GET', 'POST'],
    matches: (path) => /^\/graphql\/?$/i.test(path),
    async handle(request, response, reqId) {
      response.setHeader('vary', 'Accept, Origin');
      const refused = await answerOrRefuse(request, response, reqId);
      if (refused) sendGraphqlRefusal(request.headers.accept ?? '', response, refused);
    },
  };
}

/** Size of one owner's operations that may wait at a time. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

const NO_BODY = Buffer.from('{}');
const EVENT_STREAM = 'text/event-stream';
/** The media types of an Accept header that decide between JSON and an event stream. */
const TYPES = /text\/event-stream|application\/(?:graphql-response\+json|json|\*)|\*\/\*/;

/** Whether the response is an event stream. Clients that accept JSON as well get one for subscriptions only. */
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
    // The engine reports what is wrong with the document.
    return false;
  }
}

/** What is wrong with the headers of a request, or null. */
function misfitOf({ headers, method }: IncomingMessage): Refusal | null {
  if ('sec-websocket-key' in headers || headers.upgrade?.toLowerCase() === 'websocket')
    return REFUSALS.lostUpgrade;
  return method !== 'POST' || isJson(headers['content-type']) ? null : REFUSALS.notJson;
}

/** A page of another origin could send any type of a web form without permission. */
function isJson(contentType = ''): boolean {
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
}

function paramsOf(url: string, body: Buffer | null): GraphqlParams | Refusal {
  try {
    return readParams(url, body);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const { code, hint } = error.extensions;
    return refusal(400, error.message, String(hint), { code: String(code) });
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

const REFUSALS = {
  lostUpgrade: refusal(
    426,
    'This WebSocket handshake arrived without its Upgrade header.',
    'Have the proxy in between pass on the headers Upgrade and Connection.',
    { headers: { Upgrade: 'websocket', Connection: 'Upgrade' } },
  ),
  notJson: refusal(
    415,
    'The body is not declared as JSON.',
    'Send JSON in UTF-8, with the header Content-Type: application/json.',
  ),
  tooManyWaiting: retryLater(
    429,
    'Too many operations of this owner are waiting.',
    1,
    'Wait for the answers to some of them, or try again in 1 s.',
  ),
};

function tooLarge(maxBytes: number): Refusal {
  const size = maxBytes % 1024 === 0 ? `${maxBytes / 1024} KiB` : `${maxBytes} bytes`;
  return refusal(413, 'The body is too large.', `Send at most ${size}.`);
}
