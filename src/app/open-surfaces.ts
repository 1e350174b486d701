import type { FastifyInstance } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { createLiveCounts, type LiveCounts } from '../websocket/socket.ts';
import { createTally, type Tally } from '../limits/concurrency.ts';
import { type WebsocketServer, createWebsocketServer } from '../websocket/server.ts';
import { createCallbackMetrics, createLiveMetrics } from '../metrics/live-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createAdmit } from '../http/authorize.ts';
import type { DirectHandler, DirectRoute } from '../http/router.ts';
import { createAllowOrigin, createOriginPolicy, type OriginPolicy } from '../http/origins.ts';
import { createEventStreams } from '../http/event-streams.ts';
import { createForwarded, type Forwarded } from '../http/forwarded.ts';
import { createGate, createHostPolicy, type HostPolicy } from '../http/gate.ts';
import { createGraphiqlPage, dashboard } from '../http/pages.ts';
import { graphqlRoute } from '../http/graphql.ts';
import { health } from '../http/health.ts';
import { createHttpServer } from '../http/server.ts';
import { metricsRoute } from '../http/metrics.ts';
import { startOverload, type Overload } from '../limits/overload.ts';
import { createRateLimit, type RateLimit } from '../limits/rate.ts';
import { uploadsRoute } from '../http/uploads.ts';
import { type UploadImage, createUploadImage, type UploadStore } from '../images/upload.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Tasks, TaskQueries } from '../tasks/tasks.ts';
import { WEBHOOKS_PATH, createKieWebhook } from '../webhooks/route.ts';
import { CALLBACK_RESULTS } from '../webhooks/refusals.ts';
import { openAccess } from './open-access.ts';
import type { Upstream } from './open-provider.ts';
import type { Principal, Authenticate } from '../auth/principal.ts';
import { createBeginInTurns } from '../limits/turns.ts';
import { createHub, type Hub } from '../websocket/hub.ts';
import type { Context } from '../resolvers/context.ts';
import { createMaskError } from '../engine/mask-error.ts';
import { schema } from '../schema/schema.ts';
import { createGraphqlHttp, type AnswerOverHttp } from '../http/graphql-http.ts';
import { createGraphql, type Graphql, GRAPHQL_PATH } from '../engine/yoga.ts';
import { limitListItems } from '../engine/limits.ts';
import { createAdmitOperation, createPutOff } from '../websocket/operations.ts';
import { acceptPersistedQueries, createProtocol } from '../websocket/protocol.ts';
import { createWelcome } from '../websocket/on-connect.ts';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION, USER_AGENT } from '../version.ts';
import { createKieUpload } from '../providers/kie/uploads.ts';
import type { Clock } from '../tasks/clock.ts';
import type { Cleanup } from './shutdown.ts';

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
  readonly upload: UploadImage;
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

/** What executes operations. */
export interface Executors {
  readonly graphql: Graphql<Context>;
  /** JSON over HTTP. */
  readonly answer: AnswerOverHttp;
  /** For subscriptions over sockets. */
  readonly hub: Hub;
}

/** The engine on our schema, with the limits that are configured. */
export function openGraphql(
  config: Config,
  options: {
    readonly log: Logger;
    readonly tasks: TaskQueries;
    readonly isOpen: boolean;
    readonly perOwner: Tally;
    readonly perAddress: Tally;
    readonly counts: LiveCounts;
  },
): Executors {
  const { counts, isOpen, log, perAddress, perOwner, tasks } = options;
  // Without access control the one who asks is the operator.
  const maySeeCredits = isOpen || config.showCredits;
  const maskError = createMaskError((error) => {
    log.error({ err: error }, 'a GraphQL operation failed unexpectedly');
  });
  const { introspection, maxListItems } = config;
  const context = ({ owner }: Principal, reqId: string): Context => ({
    viewer: { owner, maySeeCredits },
    reqId,
    tasks,
    takeItems: limitListItems(maxListItems),
  });
  const graphql = createGraphql<Context>({
    schema,
    context,
    maskError,
    introspection,
    limits: config,
    perOwner,
    perAddress,
    inTurn: createBeginInTurns(),
  });
  const rightsOf = (context: unknown): string => JSON.stringify((context as Context).viewer);
  const answer = createGraphqlHttp({ schema, context, maskError, ...graphql });
  return {
    answer,
    graphql,
    hub: createHub({ counts, maskError, rightsOf, hideSuggestions: !introspection }),
  };
}

export interface SocketsOptions extends Omit<Executors, 'answer'> {
  readonly http: FastifyInstance;
  readonly authenticate: Authenticate;
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
  readonly mayCall: OriginPolicy;
  readonly requestsPerOwner: RateLimit;
  readonly perOwner: Tally;
  readonly perAddress: Tally;
  readonly counts: LiveCounts;
  readonly overload: Overload;
  readonly nextId: () => string;
  readonly lines: Logger;
}

/** The WebSocket door of an HTTP server. */
export function openSockets(config: Config, options: SocketsOptions): WebsocketServer {
  const { forwarded, graphql, http, hub, isOurHost, mayCall, perAddress, perOwner, requestsPerOwner } =
    options;
  const { authenticate, counts, lines: log, nextId, overload } = options;
  const { engine } = graphql;
  return createWebsocketServer({
    http: http.server,
    path: GRAPHQL_PATH,
    protocol: acceptPersistedQueries(
      createProtocol({
        begin: (principal, reqId) => engine.getEnveloped({ principal, connection: null, reqId }),
        hub,
        welcome: createWelcome({ authenticate, perOwner, log }),
        admit: createAdmitOperation({
          maxSubscriptions: config.maxSubscriptionsPerSocket,
          maxHeldBytes: config.maxBodyBytes,
          requestsPerOwner,
        }),
        putOff: createPutOff(overload),
      }),
    ),
    mayConnect: (request) => {
      return (
        isOurHost(forwarded.hostOf(request)) && mayCall(request.headers.origin, forwarded.siteOf(request))
      );
    },
    addressOf: (request) => forwarded.addressOf(request),
    isOverloaded: () => overload.refusal() !== null,
    maxMessageBytes: config.maxBodyBytes,
    maxOperationsPerSecond: config.maxOperationsPerSecond,
    perAddress,
    slowReaderMs: config.slowReaderMs,
    counts,
    nextId,
    log,
  });
}

/** Where the sandbox's result files are served, so that their addresses work wherever the gateway's own does. */
export const SANDBOX_FILES_PATH = '/sandbox/files';

/** Where the pages are that were built, by the package's own name for it: the build moves this file. */
export const DASHBOARD = dirname(fileURLToPath(import.meta.resolve('#dashboard/index.html')));

/** What people look at: the dashboard, and what the sandbox has made or was given. */
export async function openPages(
  http: FastifyInstance,
  { graphiql }: Config,
  { isOpen, upstream }: { readonly isOpen: boolean; readonly upstream: Upstream },
): Promise<void> {
  if (upstream.uploadsDir !== null) {
    const { sandboxFiles } = await import('../sandbox/files.ts');
    await http.register(sandboxFiles, { prefix: SANDBOX_FILES_PATH, uploadsDir: upstream.uploadsDir });
  }
  await dashboard(http, DASHBOARD, {
    sandbox: upstream.kind === 'sandbox',
    signIn: !isOpen,
    graphiql,
    version: VERSION,
  });
}

export interface Uploads {
  readonly upload: UploadImage;
  /** Has those under way answered now: what they send is broken off. */
  close(): Promise<void>;
}

/** What takes pictures in and passes them on. */
export function openUploads(options: {
  readonly log: Logger;
  readonly cleanup: Cleanup;
  readonly uploads: UploadStore;
  readonly upstream: Upstream;
  readonly clock: Clock;
}): Uploads {
  const { cleanup, clock, log, uploads, upstream } = options;
  const { apiKey, proxy, uploadUrl } = upstream;
  const host = createKieUpload({ uploadUrl, apiKey, proxy: proxy.upload, userAgent: USER_AGENT, log });
  cleanup.add(() => host.close());
  return {
    upload: createUploadImage({ store: uploads, host, now: clock.now, log }),
    close: () => host.close(),
  };
}
