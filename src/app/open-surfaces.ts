import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Principal } from '../auth/principal.ts';
import { isOpen, type Config } from '../config/config.ts';
import { limitListItems, limitText } from '../engine/limits.ts';
import { createMaskError } from '../engine/mask-error.ts';
import { createGraphql, GRAPHQL_PATH } from '../engine/yoga.ts';
import { createAuthorize } from '../http/authorize.ts';
import { createEventStreams } from '../http/event-streams.ts';
import { createForwarded } from '../http/forwarded.ts';
import { createGate, createHostPolicy, headersRefusal } from '../http/gate.ts';
import { createGraphqlHttp } from '../http/graphql-http.ts';
import { graphqlRoute } from '../http/graphql.ts';
import { healthRoutes } from '../http/health.ts';
import { metricsRoute } from '../http/metrics.ts';
import { createAllowOrigin, createOriginPolicy } from '../http/origins.ts';
import { dashboardRoutes, graphiqlRoute } from '../http/pages.ts';
import { pathOf, READ_METHODS, type Route } from '../http/router.ts';
import { createHttpServer, type HttpServer } from '../http/server.ts';
import { uploadsRoute } from '../http/uploads.ts';
import { videosRoute } from '../http/videos.ts';
import type { UploadImage } from '../images/upload.ts';
import { createConcurrencyLimit } from '../limits/concurrency.ts';
import { startOverload } from '../limits/overload.ts';
import { createRateLimit } from '../limits/rate.ts';
import type { InTurn } from '../limits/turns.ts';
import { createCallbackMetrics, createLiveMetrics } from '../metrics/live-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Context } from '../resolvers/context.ts';
import { schema } from '../schema/schema.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { VERSION } from '../version.ts';
import { CALLBACK_RESULTS } from '../webhooks/refusals.ts';
import { createWebhook, WEBHOOKS_PATH } from '../webhooks/route.ts';
import { createHub } from '../websocket/hub.ts';
import { createOnConnect } from '../websocket/on-connect.ts';
import { createAuthorizeOperation, createRefuseOverload } from '../websocket/operations.ts';
import { createProtocol } from '../websocket/protocol.ts';
import { createWebsocketServer, type WebsocketServer } from '../websocket/server.ts';
import { createLiveCounts } from '../websocket/socket.ts';
import { openAccess } from './open-access.ts';
import type { Archive } from './open-archive.ts';
import type { Upstream } from './open-provider.ts';
import type { Cleanup } from './shutdown.ts';

const MINUTE_MS = 60_000;
/** Requests of one address that may send a body before authentication, which takes milliseconds. */
const MAX_UNKNOWN_PER_ADDRESS = 64;
/** Path of the sandbox's result files on the gateway, so that their URLs work wherever the gateway is reachable. */
export const SANDBOX_FILES_PATH = '/sandbox/files';
/** Resolved by package name, because the build moves this file. */
const DASHBOARD = dirname(fileURLToPath(import.meta.resolve('#dashboard/index.html')));

interface Parts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly cleanup: Cleanup;
  readonly tasks: Tasks;
  readonly ports: TaskPorts;
  readonly archive: Archive | null;
  readonly upstream: Upstream;
  readonly upload: UploadImage;
  readonly publicUrl: () => string | null;
  readonly isDraining: () => boolean;
}

/** Connects HTTP, event streams, WebSockets and callbacks to tasks. The server does not listen yet. */
export async function openSurfaces(
  config: Config,
  parts: Parts,
): Promise<{ readonly http: HttpServer; readonly websockets: WebsocketServer }> {
  const { cleanup, log, metrics, ports } = parts;
  const checks = await openChecks(config, parts);
  const { counts, forwarded, overload, streams } = checks;
  const engine = openEngine(config, parts, checks);
  const gate = createGate({ ...checks, unknownPerAddress: createConcurrencyLimit(MAX_UNKNOWN_PER_ADDRESS) });
  const allowOrigin = createAllowOrigin(checks.mayCall, forwarded);
  const { requestTimeoutMs, slowReaderMs } = config;
  const http = createHttpServer({ ...parts, requestTimeoutMs, slowReaderMs, gate, forwarded, allowOrigin });
  const close = (): Promise<void> => {
    streams.endAll();
    return http.close();
  };
  cleanup.add(close);

  const report = (error: unknown): void => {
    log.error({ err: error }, 'checking the credentials of a request failed');
  };
  const route = {
    ...checks,
    authorize: createAuthorize({ ...checks, gate, report }),
    requests: http.requests,
  };
  const { answer, graphql } = engine;
  const { graphiql, maxBodyBytes, maxUploads } = config;
  http.router.add(
    ...(graphiql ? [await graphiqlRoute(DASHBOARD, GRAPHQL_PATH)] : []),
    graphqlRoute(graphql, { ...route, answer, inTurn: ports.inTurn, maxBodyBytes, streams }),
    webhookRoute(parts, checks),
    uploadsRoute({ ...route, maxUploads, upload: parts.upload }),
    ...videoRoutes(parts, checks),
    ...probeRoutes(config, parts, checks),
    ...(await pageRoutes(config, parts.upstream, ports.inTurn)),
  );

  const websockets = openSockets(config, parts, checks, engine, http);
  ports.feed.onRestart(() => {
    log.warn('the database lost published changes, or a failover happened: all subscriptions restart');
    engine.hub.forgetResults();
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
  return { http: { ...http, close }, websockets };
}

type Checks = Awaited<ReturnType<typeof openChecks>>;

/** Policies, limits and counts that all transports share. */
async function openChecks(config: Config, { cleanup, log, ports, publicUrl }: Parts) {
  const { allowedOrigins, host, overloadDelayMs } = config;
  const now = ports.clock.machine ?? ports.clock.now;
  const overload = startOverload({ limitMs: overloadDelayMs, writeLag: () => ports.store.writeLag(), log });
  cleanup.add(overload.stop);
  return {
    ...(await openAccess(config, now, log)),
    now,
    isOpen: isOpen(config),
    mayCall: createOriginPolicy({ allowedOrigins, host, publicUrl }),
    isOurHost: createHostPolicy({ isOpen: isOpen(config), host, publicUrl }),
    forwarded: createForwarded(config.trustedProxies),
    requestsPerOwner: await createRateLimit(config.maxRequestsPerMinute, MINUTE_MS),
    perOwner: createConcurrencyLimit(config.maxSocketsPerOwner),
    perAddress: createConcurrencyLimit(config.maxSocketsPerAddress),
    counts: createLiveCounts(),
    streams: createEventStreams(),
    overload,
  };
}

/** What executes operations: `answer` for JSON over HTTP, `graphql` for event streams, `hub` for subscriptions over sockets. */
function openEngine(
  config: Config,
  { log, ports, tasks }: Parts,
  { counts, isOpen, perAddress, perOwner }: Checks,
) {
  const { introspection, maxListItems } = config;
  // Without authentication every client is the operator.
  const maySeeCredits = isOpen || config.showCredits;
  const maskError = createMaskError((error) => {
    log.error({ err: error }, 'a GraphQL operation failed unexpectedly');
  });
  const context = ({ owner }: Principal, reqId: string): Context => ({
    viewer: { owner, maySeeCredits },
    reqId,
    tasks,
    takeItems: limitListItems(maxListItems),
    takeText: limitText(),
  });
  const shared = { schema, context, maskError, perOwner, perAddress };
  const graphql = createGraphql<Context>({ ...shared, introspection, limits: config, inTurn: ports.inTurn });
  const rightsOf = (value: unknown): string => JSON.stringify((value as Context).viewer);
  const hub = createHub({ counts, maskError, rightsOf, hideSuggestions: !introspection });
  const operations = { ...shared, ...graphql };
  return { answer: createGraphqlHttp(operations), graphql, hub, operations };
}

function openSockets(
  config: Config,
  { log, ports: { inTurn } }: Parts,
  checks: Checks,
  { hub, operations }: ReturnType<typeof openEngine>,
  { nextId, node }: HttpServer,
): WebsocketServer {
  const { forwarded, isOurHost, mayCall, overload, requestsPerOwner } = checks;
  const protocol = createProtocol({
    engine: operations,
    hub,
    inTurn,
    onConnect: createOnConnect({ ...checks, log }),
    authorizeOperation: createAuthorizeOperation({
      maxSubscriptions: config.maxSubscriptionsPerSocket,
      maxHeldBytes: config.maxBodyBytes,
      requestsPerOwner,
    }),
    refuseOverload: createRefuseOverload(overload),
  });
  return createWebsocketServer({
    ...checks,
    http: node,
    path: GRAPHQL_PATH,
    protocol,
    inTurn,
    mayConnect: (request) =>
      isOurHost(forwarded.hostOf(request)) && mayCall(request.headers.origin, forwarded.siteOf(request)),
    hasValidHeaders: (request) => headersRefusal(request) === null,
    addressOf: (request) => forwarded.addressOf(request),
    isOverloaded: () => overload.refusal() !== null,
    maxMessageBytes: config.maxBodyBytes,
    maxOperationsPerSecond: config.maxOperationsPerSecond,
    slowReaderMs: config.slowReaderMs,
    nextId,
    log,
  });
}

function webhookRoute({ log, metrics, ports, tasks }: Parts, checks: Checks): Route {
  const { countWrong, forwarded, now } = checks;
  const handle = createWebhook({
    tasks,
    provider: ports.provider,
    now,
    log,
    countWrong: (request: IncomingMessage) => countWrong(forwarded.addressOf(request)),
    onResult: createCallbackMetrics(metrics.registry, CALLBACK_RESULTS),
  });
  return {
    name: `${WEBHOOKS_PATH}*`,
    matches: (path) => path.startsWith(WEBHOOKS_PATH),
    handle,
    // The webhook logs one line of its own for each callback.
    writesLine: true,
    // Tunnels use host names that the gate does not know. The token in the path authenticates the callback.
    skipsGate: true,
  };
}

function videoRoutes({ archive }: Parts, { countWrong, forwarded }: Checks): readonly Route[] {
  if (!archive) return [];
  return [videosRoute({ ...archive, countWrong: (request) => countWrong(forwarded.addressOf(request)) })];
}

function probeRoutes(
  { metricsToken: token, trustedProxies }: Config,
  { isDraining, metrics, ports }: Parts,
  { countWrong, forwarded }: Checks,
): readonly Route[] {
  const isBehindProxy = trustedProxies.length > 0;
  return [
    ...healthRoutes({ pingStore: () => ports.store.ping(), isDraining }),
    metricsRoute({ scrape: metrics.scrape, token, isBehindProxy, countWrong, forwarded }),
  ];
}

/** The dashboard, and the sandbox's files. */
async function pageRoutes(
  config: Config,
  { kind, uploadsDir }: Upstream,
  inTurn: InTurn,
): Promise<readonly Route[]> {
  const settings = {
    sandbox: kind === 'sandbox',
    signIn: !isOpen(config),
    graphiql: config.graphiql,
    version: VERSION,
  };
  const pages = await dashboardRoutes(DASHBOARD, settings, inTurn);
  if (uploadsDir === null) return pages;
  const { createSandboxFiles } = await import('../sandbox/files.ts');
  const sendFile = createSandboxFiles(uploadsDir);
  const prefix = `${SANDBOX_FILES_PATH}/`;
  return [
    ...pages,
    {
      name: `${prefix}*`,
      methods: READ_METHODS,
      matches: (path) => path.startsWith(prefix),
      handle: (request, response) => sendFile(request, response, pathOf(request).slice(prefix.length)),
    },
  ];
}
