import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Admit } from './admission.ts';
import { GRAPHQL_PATH, type Graphql } from './graphql.ts';

/** setTimeout fires longer delays at once. */
const MAX_DELAY_MS = 0x7fffffff;

/**
 * `/graphql` over HTTP. Event streams are cut when their caller's token expires and when the server closes: their clients
 * come back and lose nothing.
 */
export async function graphqlRoute<Context extends object>(
  app: FastifyInstance,
  graphql: Graphql<Context>,
  admit: Admit,
): Promise<void> {
  const streams = new Set<ServerResponse>();
  let isClosing = false;

  /** Streams are piped by the engine, all other answers are sent whole. */
  function onPipe(this: ServerResponse): void {
    // Not at once: a stream that was never read cannot be ended.
    if (isClosing) setImmediate(() => this.destroy());
    streams.add(this);
    this.once('close', () => streams.delete(this));
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
        const admission = await admit(request.headers.authorization);
        if ('caller' in admission) endAt(reply.raw, admission.caller.expiresAt);
        reply.raw.once('pipe', onPipe);
        reply.hijack();
        await graphql.handle(withBody(request), reply.raw, { admission });
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

/** Only streams last so long: every other answer is sent whole before its caller's token can expire unnoticed. */
function endAt(response: ServerResponse, expiresAt: number | null): void {
  if (expiresAt === null) return;
  const timer = setTimeout(
    () => response.destroy(),
    Math.min(Math.max(0, expiresAt - Date.now()), MAX_DELAY_MS),
  );
  response.once('close', () => {
    clearTimeout(timer);
  });
}
