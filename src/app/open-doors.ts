import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { createProtocol } from '../live/protocol.ts';
import { createWebsocketServer, type WebsocketServer } from '../live/websocket-server.ts';
import type { Context } from '../resolvers/context.ts';
import { sandboxFiles } from '../sandbox/sandbox-files.ts';
import { createMaskError } from '../schema/mask-error.ts';
import { schema } from '../schema/schema.ts';
import { GRAPHQL_PATH, createGraphql } from '../server/graphql.ts';
import { graphqlRoute } from '../server/graphql-route.ts';
import { health } from '../server/health.ts';
import { createHttpServer } from '../server/http-server.ts';
import { createOriginPolicy } from '../server/origin-policy.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { kieWebhook } from '../webhooks/kie-webhook.ts';
import type { Upstream } from './upstream.ts';

/** Where the sandbox's result files are served, so that their addresses work wherever the gateway's own does. */
export const SANDBOX_FILES_PATH = '/sandbox/files';

export interface Doors {
  readonly http: FastifyInstance;
  readonly websockets: WebsocketServer;
}

/** Everything that answers from outside, not listening yet. */
export async function openDoors(
  config: Config,
  options: {
    readonly log: Logger;
    readonly tasks: Tasks;
    readonly ports: TaskPorts;
    readonly upstream: Upstream;
    readonly publicUrl: () => string | null;
    readonly isDraining: () => boolean;
  },
): Promise<Doors> {
  const { isDraining, log, ports, publicUrl, tasks, upstream } = options;
  const { allowedOrigins, graphiql, host, introspection, slowReaderMs } = config;
  const mayCall = createOriginPolicy({ allowedOrigins, host, publicUrl });
  // Nobody has to say who they are yet, so all tasks belong to one owner.
  const context: Context = { caller: { owner: 'anonymous' }, tasks };
  const maskError = createMaskError((error) => {
    log.error({ err: error }, 'a GraphQL operation failed unexpectedly');
  });
  const graphql = await createGraphql({
    schema,
    context: () => context,
    maskError,
    mayCall,
    graphiql,
    introspection,
    log,
  });

  const http = createHttpServer(log);
  health(http, { pingStore: () => ports.store.ping(), isDraining });
  await graphqlRoute(http, graphql);
  await http.register((scope, _options, done) => {
    kieWebhook(scope, { tasks, hmacKeys: () => upstream.hmacKeys, now: () => ports.clock.now() });
    done();
  });
  if (upstream.kind === 'sandbox') await http.register(sandboxFiles, { prefix: SANDBOX_FILES_PATH });
  await http.ready();

  const websockets = createWebsocketServer({
    http: http.server,
    path: GRAPHQL_PATH,
    protocol: createProtocol(() => graphql.getEnveloped({})),
    mayConnect: mayCall,
    slowReaderMs,
    log,
  });
  return { http, websockets };
}
