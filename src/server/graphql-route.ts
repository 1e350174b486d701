import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Admit } from './admission.ts';
import type { Forwarded } from './forwarded.ts';
import { GRAPHQL_PATH, type Connection, type Graphql } from './graphql.ts';
import type { OriginPolicy } from './origin-policy.ts';
import { createPlainRoad } from './plain-road.ts';
import { plainRequest } from './plain-request.ts';

/**
 * `/graphql` over HTTP. Event streams are cut when their caller's token expires and when the server closes: their clients
 * come back and lose nothing.
 */
export async function graphqlRoute<Context extends object>(
  app: FastifyInstance,
  graphql: Graphql<Context>,
  options: { readonly admit: Admit; readonly forwarded: Forwarded; readonly mayCall: OriginPolicy },
): Promise<void> {
  const { admit, forwarded, mayCall } = options;
  const answerPlain = createPlainRoad(graphql, mayCall);
  const streams = new Set<ServerResponse>();
  /** Those that have to end and have not begun. */
  const doomed = new WeakSet<ServerResponse>();
  let isClosing = false;

  /** Streams are piped by the engine, all other answers are sent whole. */
  function onPipe(this: ServerResponse): void {
    // Not at once: a stream that was never read cannot be ended.
    if (isClosing || doomed.has(this)) setImmediate(() => this.destroy());
    streams.add(this);
    this.once('close', () => streams.delete(this));
  }

  function endStream(response: ServerResponse): void {
    if (streams.has(response)) response.destroy();
    else doomed.add(response);
  }

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
        const response = reply.raw;
        const admission = await admit(request.headers.authorization);
        const connection = {
          ...connectionOf(request.raw, response, forwarded),
          endStream: () => {
            endStream(response);
          },
        };
        response.once('pipe', onPipe);
        reply.hijack();
        const arrival = { admission, connection };
        const caller = 'caller' in admission ? admission.caller : null;
        const plain = caller && plainRequest(request);
        if (plain) await answerPlain({ request: withBody(request), response, caller, arrival, plain });
        else await graphql.engine.handle(withBody(request), response, arrival);
      },
    });
    done();
  });

  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const response of streams) response.destroy();
    done();
  });
}

/** The body was read by the server's own parser; the engine takes it from here, and knows its type in lower case only. */
function withBody({ body, raw }: FastifyRequest): FastifyRequest['raw'] {
  if (body !== undefined) raw.headers['content-type'] = 'application/json';
  return Object.assign(raw, { body });
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
      if (response.closed) run();
      else response.once('close', run);
    },
  };
}
