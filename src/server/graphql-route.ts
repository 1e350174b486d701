import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from '../read-body.ts';
import type { Admit } from './admission.ts';
import type { DirectRoutes } from './direct-routes.ts';
import type { EventStreams } from './event-streams.ts';
import type { Forwarded } from './forwarded.ts';
import type { GraphiqlPage } from './graphiql-page.ts';
import { GRAPHQL_PATH, type Connection, type Graphql } from './graphql.ts';
import type { HostPolicy } from './host-policy.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { Overload } from './overload.ts';
import { createPlainRoad } from './plain-road.ts';
import { plainRequest } from './plain-request.ts';
import { createRefuseOverload } from './refuse-overload.ts';
import { createSendJson } from './send-json.ts';
import { whenClosed } from './when-closed.ts';

export interface GraphqlRouteOptions {
  readonly direct: DirectRoutes;
  readonly admit: Admit;
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
  readonly mayCall: OriginPolicy;
  readonly maxBodyBytes: number;
  readonly overload: Overload;
  /** Null where there is none. */
  readonly page: GraphiqlPage | null;
  readonly streams: EventStreams;
}

/**
 * `/graphql` over HTTP. Event streams are cut when their caller's token expires and when the server closes: their clients
 * come back and lose nothing. Browsers that ask for the page get it, whoever they are.
 */
export async function graphqlRoute<Context extends object>(
  app: FastifyInstance,
  graphql: Graphql<Context>,
  options: GraphqlRouteOptions,
): Promise<void> {
  const { admit, direct, forwarded, isOurHost, maxBodyBytes, mayCall, overload, page, streams } = options;
  const sendJson = createSendJson(mayCall);
  const answerPlain = createPlainRoad(graphql, sendJson);
  const { isMutation } = graphql;
  const refuseOverload = createRefuseOverload({ overload, isMutation, forwarded, sendJson });

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    { body, reqId }: { readonly body: unknown; readonly reqId: string },
  ): Promise<void> {
    if (refuseOverload(request, response, body)) return;
    const admission = await admit(request.headers.authorization);
    const endStream = (): void => {
      streams.end(response);
    };
    const connection = { ...connectionOf(request, response, forwarded), endStream };
    streams.watch(response);
    const arrival = { admission, connection, reqId };
    const caller = 'caller' in admission ? admission.caller : null;
    const { headers, method, url } = request;
    const plain = caller && plainRequest({ body, headers, method, url });
    const read = withBody(request, body);
    if (plain) await answerPlain({ request: read, response, caller, arrival, plain });
    else await graphql.engine.handle(read, response, arrival);
  }

  direct.add({
    name: GRAPHQL_PATH,
    fits: (request) => isUsual(request, maxBodyBytes) && isOurHost(forwarded.hostOf(request)),
    handle: async (request, response, reqId) => {
      await answer(request, response, { body: await readBody(request, maxBodyBytes), reqId });
    },
  });
  await app.register((scope, _options, done) => {
    // Only JSON: what a web form can send, a foreign page could send in the name of its reader.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    scope.route({
      url: GRAPHQL_PATH,
      // The engine answers the methods that it does not take: with 405, where no route at all would mean 404.
      method: ['GET', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
      handler: async (request, reply) => {
        if (page?.fits(request)) return page.send(reply);
        reply.hijack();
        await answer(request.raw, reply.raw, { body: request.body, reqId: request.id });
        return reply;
      },
    });
    done();
  });

  app.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
}

/** A post whose body is JSON of a known length that is allowed: everything else is the server's own to weigh, or to refuse. */
function isUsual({ headers, method, url }: IncomingMessage, maxBodyBytes: number): boolean {
  return (
    method === 'POST' &&
    url === GRAPHQL_PATH &&
    USUAL_TYPE.test(headers['content-type'] ?? '') &&
    Number(headers['content-length'] ?? Infinity) <= maxBodyBytes &&
    headers['content-encoding'] === undefined &&
    headers.expect === undefined
  );
}

const USUAL_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;

/** The body was read already; the engine takes it from here, and knows its type in lower case only. */
function withBody(request: IncomingMessage, body: unknown): IncomingMessage {
  if (body !== undefined) request.headers['content-type'] = 'application/json';
  return Object.assign(request, { body });
}

function connectionOf(
  request: IncomingMessage,
  response: ServerResponse,
  forwarded: Forwarded,
): Omit<Connection, 'endStream'> {
  return {
    address: () => forwarded.addressOf(request),
    host: () => forwarded.hostOf(request),
    onClosed: (run) => {
      whenClosed(response, run);
    },
  };
}
