import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Admit } from './admission.ts';
import { GRAPHQL_PATH, type Graphql } from './graphql.ts';

/** setTimeout fires longer delays at once; a token that lives so long is looked at again when it has passed. */
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
  const open = new Set<ServerResponse>();

  await app.register((scope, _options, done) => {
    // Only JSON: what a web form can send, a foreign page could send in the name of its reader.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    scope.route({
      url: GRAPHQL_PATH,
      method: ['GET', 'POST', 'OPTIONS'],
      handler: async (request, reply) => {
        const admission = await admit(request.headers.authorization);
        open.add(reply.raw);
        reply.raw.once('close', () => open.delete(reply.raw));
        if ('caller' in admission) endAt(reply.raw, admission.caller.expiresAt);
        reply.hijack();
        await graphql.handle(withBody(request), reply.raw, { admission });
      },
    });
    done();
  });

  app.addHook('preClose', (done) => {
    for (const response of open) if (isEventStream(response)) response.destroy();
    done();
  });
}

/** The body was read by the server's own parser; the engine takes it from here. */
function withBody({ body, raw }: FastifyRequest): FastifyRequest['raw'] {
  return Object.assign(raw, { body });
}

function endAt(response: ServerResponse, expiresAt: number | null): void {
  if (expiresAt === null) return;
  const timer = setTimeout(
    () => {
      if (isEventStream(response)) response.destroy();
    },
    Math.min(Math.max(0, expiresAt - Date.now()), MAX_DELAY_MS),
  );
  response.once('close', () => {
    clearTimeout(timer);
  });
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type')).startsWith('text/event-stream');
}
