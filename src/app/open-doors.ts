import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { createAdmitOperation } from '../live/admit-operation.ts';
import { createProtocol } from '../live/protocol.ts';
import { createTally } from '../live/tally.ts';
import { createWebsocketServer, type WebsocketServer } from '../live/websocket-server.ts';
import { createWelcome } from '../live/welcome.ts';
import { createAdmit } from '../server/admission.ts';
import type { DirectHandler, DirectRoute } from '../server/direct-routes.ts';
import { createForwarded } from '../server/forwarded.ts';
import { createGraphiqlPage } from '../server/graphiql-page.ts';
import { GRAPHQL_PATH } from '../server/graphql.ts';
import { graphqlRoute } from '../server/graphql-route.ts';
import { health } from '../server/health.ts';
import { createHostPolicy } from '../server/host-policy.ts';
import { createHttpServer } from '../server/http-server.ts';
import { createOriginPolicy } from '../server/origin-policy.ts';
import { createRateLimit } from '../server/rate-limit.ts';
import { uploadsRoute } from '../server/uploads-route.ts';
import type { UploadPicture } from '../pictures/upload-picture.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { WEBHOOKS_PATH, createKieWebhook } from '../webhooks/kie-webhook.ts';
import { openAccess } from './open-access.ts';
import { openGraphql } from './open-graphql.ts';
import { DASHBOARD, openPages } from './open-pages.ts';
import type { Upstream } from './upstream.ts';

const MINUTE_MS = 60_000;

export interface Doors {
  readonly http: FastifyInstance;
  readonly websockets: WebsocketServer;
}

export interface DoorsOptions {
  readonly log: Logger;
  readonly tasks: Tasks;
  readonly ports: TaskPorts;
  readonly upstream: Upstream;
  readonly upload: UploadPicture;
  readonly publicUrl: () => string | null;
  readonly isDraining: () => boolean;
}

/** Everything that answers from outside, not listening yet. */
export async function openDoors(config: Config, options: DoorsOptions): Promise<Doors> {
  const { isDraining, log, ports, publicUrl, tasks, upload, upstream } = options;
  const { host, maxBodyBytes, maxUploads, requestTimeoutMs } = config;
  const now = (): number => ports.clock.now();
  const { authenticate, isOpen } = await openAccess(config, now, log);
  const mayCall = createOriginPolicy({ allowedOrigins: config.allowedOrigins, host, publicUrl });
  const isOurHost = createHostPolicy({ isOpen, host, publicUrl });
  const forwarded = createForwarded(config.trustedProxies);
  const requestsPerOwner = await createRateLimit(config.maxRequestsPerMinute, MINUTE_MS);
  const perOwner = createTally(config.maxSocketsPerOwner);
  const perAddress = createTally(config.maxSocketsPerAddress);
  const { graphql, hub } = openGraphql(config, { log, tasks, mayCall, isOpen, perOwner, perAddress });

  const { app: http, direct } = createHttpServer({
    log,
    maxBodyBytes,
    requestTimeoutMs,
    forwarded,
    isOurHost,
  });
  health(http, { pingStore: () => ports.store.ping(), isDraining });
  const admit = createAdmit(authenticate, requestsPerOwner, (error) => {
    log.error({ err: error }, 'who sent a request could not be checked');
  });
  const page = config.graphiql ? await createGraphiqlPage(DASHBOARD) : null;
  await graphqlRoute(http, graphql, { direct, admit, forwarded, isOurHost, mayCall, maxBodyBytes, page });
  direct.add(webhooks(createKieWebhook({ tasks, hmacKeys: () => upstream.hmacKeys, now, log })));
  await uploadsRoute(http, { admit, forwarded, maxUploads, mayCall, upload });
  await openPages(http, config, { isOpen, upstream });
  await http.ready();

  const websockets = createWebsocketServer({
    http: http.server,
    path: GRAPHQL_PATH,
    protocol: createProtocol({
      begin: (caller) => graphql.engine.getEnveloped({ admission: { caller }, connection: null }),
      hub,
      welcome: createWelcome({ authenticate, perOwner, log }),
      admit: createAdmitOperation({ maxSubscriptions: config.maxSubscriptionsPerSocket, requestsPerOwner }),
    }),
    mayConnect: (request) => {
      const named = forwarded.hostOf(request);
      return isOurHost(named) && mayCall(request.headers.origin, named);
    },
    addressOf: (request) => forwarded.addressOf(request),
    maxMessageBytes: maxBodyBytes,
    maxOperationsPerSecond: config.maxOperationsPerSecond,
    perAddress,
    slowReaderMs: config.slowReaderMs,
    log,
  });
  return { http, websockets };
}

function webhooks(handle: DirectHandler): DirectRoute {
  return {
    name: `${WEBHOOKS_PATH}*`,
    // Tunnels call them under names that we do not know; they have their own tokens.
    fits: ({ url = '' }) => url.startsWith(WEBHOOKS_PATH) && isWellEncoded(url),
    handle,
  };
}

/** Addresses that cannot be read are refused by the server, whatever they begin with. */
function isWellEncoded(url: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(url);
}
