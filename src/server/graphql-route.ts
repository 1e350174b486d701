import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem, sendProblem, withErrors } from '../problem.ts';
import { readBody } from '../read-body.ts';
import type { Admit } from './admission.ts';
import type { DirectRoutes } from './direct-routes.ts';
import type { EventStreams } from './event-streams.ts';
import type { Forwarded } from './forwarded.ts';
import type { GraphiqlPage } from './graphiql-page.ts';
import { GRAPHQL_PATH, type Connection, type Graphql } from './graphql.ts';
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
  const { admit, direct, forwarded, maxBodyBytes, mayCall, overload, page, streams } = options;
  const sendJson = createSendJson(mayCall);
  const answerPlain = createPlainRoad(graphql, sendJson);
  const { isMutation } = graphql;
  const refuseOverload = createRefuseOverload({ overload, isMutation, forwarded, sendJson });

  async function answer(request: IncomingMessage, response: ServerResponse, reqId: string): Promise<void> {
    const admission = await admit(request);
    const isWanted = 'caller' in admission && request.method === 'POST';
    if (isWanted && !USUAL_TYPE.test(request.headers['content-type'] ?? '')) {
      sendProblem(response, NO_JSON);
      return;
    }
    const body = isWanted ? await readBody(request, maxBodyBytes) : undefined;
    if (body === null) {
      const hint = `Send at most ${inUnits(maxBodyBytes)}.`;
      sendProblem(response, withErrors(problem(413, 'The body is too large.', { hint })));
      return;
    }
    if (refuseOverload(request, response, body)) return;
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
    fits: ({ method, url }) => method === 'POST' && url === GRAPHQL_PATH,
    handle: answer,
  });
  await app.register((scope, _options, done) => {
    scope.route({
      url: GRAPHQL_PATH,
      // The engine answers the methods that it does not take: with 405, where no route at all would mean 404.
      method: ['GET', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
      handler: async (request, reply) => {
        if (page?.fits(request)) return page.send(reply);
        reply.hijack();
        await answer(request.raw, reply.raw, request.id);
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

/** Only JSON: what a web form can send, a foreign page could send in the name of its reader. */
const USUAL_TYPE = /^application\/json *(?:;|$)/i;
const NO_JSON = withErrors(
  problem(415, 'The body is not declared as JSON.', {
    hint: 'Send JSON, with the header Content-Type: application/json.',
  }),
);

function inUnits(bytes: number): string {
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}

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
    host: () => forwarded.siteOf(request),
    onClosed: (run) => {
      whenClosed(response, run);
    },
  };
}
