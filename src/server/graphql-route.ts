import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import { GRAPHQL_PATH, type Graphql } from './graphql.ts';

/** `/graphql` over HTTP. Event streams are cut when the server closes: their clients come back and lose nothing. */
export async function graphqlRoute<Context extends object>(
  app: FastifyInstance,
  graphql: Graphql<Context>,
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
      handler: (request, reply) => {
        reply.raw.once('pipe', onPipe);
        reply.hijack();
        // The body was read above; the engine takes it from here, and knows its type in lower case only.
        if (request.body !== undefined) request.raw.headers['content-type'] = 'application/json';
        const read = Object.assign(request.raw, { body: request.body });
        graphql.requestListener(read, reply.raw);
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
