import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, problem } from './problem.ts';
import { optionsHeaders, type AllowOrigin } from './origins.ts';

/**
 * Answers what no route of `app` takes: 405 with the methods that its URL takes, 204 with them for OPTIONS, else 404. Called
 * before routes are added.
 */
export function answerUnrouted(app: FastifyInstance, allowOrigin: AllowOrigin): void {
  const routes: { readonly url: string; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    routes.push({ url, methods: [method].flat() });
  });

  function methodsAt(url: string): ReadonlySet<string> {
    const [path = ''] = url.split('?');
    return new Set(routes.filter((route) => isAt(path, route.url)).flatMap(({ methods }) => methods));
  }

  function answer({ method, raw, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
    allowOrigin(raw, reply.raw);
    const methods = methodsAt(url);
    const allow = [...methods].toSorted().join(', ');
    if (methods.size === 0 || methods.has(method))
      return reply.code(404).type(PROBLEM_MEDIA_TYPE).send(NOTHING_HERE);
    if (method === 'OPTIONS')
      return reply
        .code(204)
        .headers(optionsHeaders(raw, reply.raw, allow))
        .send();
    const refusal = problem(405, 'This address takes another method.', { hint: `Send ${allow}.` });
    return reply.code(405).header('allow', allow).type(PROBLEM_MEDIA_TYPE).send(refusal);
  }

  // Before Fastify looks at the body: of the method QUERY it wants a media type, whatever the address.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answer(request, reply);
    else done();
  });
  app.setNotFoundHandler(answer);
}

const NOTHING_HERE = problem(404, 'There is nothing here.', { hint: 'The API is at /graphql.' });

/** Whether a route of Fastify is at a path: `:name` stands for one part of it, and `*` at the end for the rest. */
function isAt(path: string, route: string): boolean {
  const parts = path.split('/');
  const wanted = route.split('/');
  const fits = route.endsWith('/*') ? parts.length >= wanted.length : parts.length === wanted.length;
  return fits && wanted.every((part, at) => part === '*' || part.startsWith(':') || part === parts[at]);
}
