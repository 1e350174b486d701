import type { FastifyInstance } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { createLiveCounts } from '../websocket/socket.ts';
import { createTally } from '../limits/concurrency.ts';
import type { WebsocketServer } from '../websocket/server.ts';
import { createCallbackMetrics, createLiveMetrics } from '../metrics/live-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createAdmit } from '../http/authorize.ts';
import type { DirectHandler, DirectRoute } from '../http/router.ts';
import { createAllowOrigin, createOriginPolicy } from '../http/origins.ts';
import { createEventStreams } from '../http/event-streams.ts';
import { createForwarded } from '../http/forwarded.ts';
import { createGate, createHostPolicy } from '../http/gate.ts';
import { createGraphiqlPage } from '../http/pages.ts';
import { graphqlRoute } from '../http/graphql.ts';
import { health } from '../http/health.ts';
import { createHttpServer } from '../http/server.ts';
import { metricsRoute } from '../http/metrics.ts';
import { startOverload, type Overload } from '../limits/overload.ts';
import { createRateLimit } from '../limits/rate.ts';
import { uploadsRoute } from '../http/uploads.ts';
import type { UploadPicture } from '../images/upload.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { WEBHOOKS_PATH, createKieWebhook } from '../webhooks/route.ts';
import { CALLBACK_RESULTS } from '../webhooks/refusals.ts';
import { openAccess } from './open-access.ts';
import { openGraphql } from './open-graphql.ts';
import { DASHBOARD, openPages } from './open-pages.ts';
import { openSockets } from './open-sockets.ts';
import type { Upstream } from './upstream.ts';

const MINUTE_MS = 60_000;
/** So many requests of one address may bring a body before it is known who sends it: that takes milliseconds. */
const MAX_UNKNOWN_PER_ADDRESS = 64;

export interface Doors {
  readonly http: FastifyInstance;
  readonly websockets: WebsocketServer;
}

export interface DoorsOptions {
  readonly log: Logger;
  /** The same for lines that come by the thousand. */
  readonly lines: Logger;
  readonly metrics: Metrics;
  readonly tasks: Tasks;
  readonly ports: TaskPorts;
  readonly upstream: Upstream;
  readonly upload: UploadPicture;
  readonly publicUrl: () => string | null;
  readonly isDraining: () => boolean;
}

/** Everything that answers from outside, not listening yet. */
export async function openDoors(config: Config, options: DoorsOptions): Promise<Doors> {
  const { isDraining, lines, log, metrics, ports, publicUrl, tasks, upload, upstream } = options;
  const { host, maxBodyBytes, maxUploads, requestTimeoutMs } = config;
  const now = ports.clock.machine ?? ports.clock.now;
  const { authenticate, countWrong, isOpen } = await openAccess(config, now, log);
  const mayCall = createOriginPolicy({ allowedOrigins: config.allowedOrigins, host, publicUrl });
  const isOurHost = createHostPolicy({ isOpen, host, publicUrl });
  const forwarded = createForwarded(config.trustedProxies);
  const allowOrigin = createAllowOrigin(mayCall, forwarded);
  const requestsPerOwner = await createRateLimit(config.maxRequestsPerMinute, MINUTE_MS);
  const perOwner = createTally(config.maxSocketsPerOwner);
  const perAddress = createTally(config.maxSocketsPerAddress);
  const counts = createLiveCounts();
  const streams = createEventStreams();
  const shared = { log, tasks, isOpen, perOwner, perAddress, counts };
  const { answer, graphql, hub } = openGraphql(config, shared);

  const unknownPerAddress = createTally(MAX_UNKNOWN_PER_ADDRESS);
  const gate = createGate({ forwarded, isOurHost, unknownPerAddress });
  const server = createHttpServer({
    log,
    lines,
    requestTimeoutMs,
    slowReaderMs: config.slowReaderMs,
    gate,
    forwarded,
    allowOrigin,
  });
  const { app: http, direct, nextId, requests } = server;
  const overload = openOverload(http, config, options);
  health(http, { pingStore: () => ports.store.ping(), isDraining });
  const isBehindProxy = config.trustedProxies.length > 0;
  const { metricsToken: token } = config;
  metricsRoute(http, { scrape: metrics.scrape, token, isBehindProxy, countWrong, forwarded });
  const report = (error: unknown): void => {
    log.error({ err: error }, 'who sent a request could not be checked');
  };
  const admit = createAdmit({ authenticate, forwarded, gate, requestsPerOwner, report });
  const page = config.graphiql ? await createGraphiqlPage(DASHBOARD) : null;
  const roads = { admit, forwarded, mayCall, allowOrigin, overload, requests };
  direct.add(graphqlRoute(graphql, { ...roads, answer, maxBodyBytes, page, streams }));
  http.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
  const onResult = createCallbackMetrics(metrics.registry, CALLBACK_RESULTS);
  const hmacKeys = () => upstream.hmacKeys;
  const countWrongOf = (request: IncomingMessage) => countWrong(forwarded.addressOf(request));
  const callbacks = { tasks, hmacKeys, now, log: lines, countWrong: countWrongOf, onResult };
  direct.add(webhooks(createKieWebhook(callbacks)));
  uploadsRoute(http, { ...roads, isOpen, maxUploads, upload });
  await openPages(http, config, { isOpen, upstream });
  await http.ready();

  const access = { authenticate, forwarded, isOurHost, mayCall, requestsPerOwner, perOwner, perAddress };
  const load = { counts, overload };
  const websockets = openSockets(config, { http, graphql, hub, nextId, lines, ...access, ...load });
  ports.feed.onRestart(() => {
    log.warn(
      'the database has lost changes that were told, or another one has taken over: subscriptions begin anew',
    );
    hub.forgetResults();
    streams.cutAll();
    void websockets.restart();
  });
  createLiveMetrics(metrics.registry, {
    counts,
    sockets: websockets.size,
    streams: streams.size,
    subscriptions: () => ports.feed.size(),
    overloadLevel: overload.level,
  });
  return { http, websockets };
}

function openOverload(http: FastifyInstance, config: Config, { log, ports }: DoorsOptions): Overload {
  const writeLag = (): number => ports.store.writeLag();
  const overload = startOverload({ limitMs: config.overloadDelayMs, writeLag, log });
  http.addHook('onClose', () => {
    overload.stop();
  });
  return overload;
}

function webhooks(handle: DirectHandler): DirectRoute {
  return {
    name: `${WEBHOOKS_PATH}*`,
    fits: ({ url = '' }) => url.startsWith(WEBHOOKS_PATH) && isWellEncoded(url),
    handle,
    // The line of the callback says more than that of its request would.
    writesLine: true,
    // Tunnels call them by names that we do not know; they have their own tokens.
    isBeforeGate: true,
  };
}

/** Addresses that cannot be read are refused by the server, whatever they begin with. */
function isWellEncoded(url: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(url);
}
