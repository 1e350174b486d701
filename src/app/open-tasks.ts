import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { v7 as newTaskId } from 'uuid';
import { ARCHIVE_TIMINGS, type ArchiveTimings } from '../archive/timings.ts';
import type { Config } from '../config/config.ts';
import { createInspectUpload, type UploadStore } from '../images/upload.ts';
import { createBeginInTurns } from '../limits/turns.ts';
import { createArchiveMetrics, type ArchiveMetrics } from '../metrics/archive-metrics.ts';
import { createCommitMetrics } from '../metrics/live-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createPriceDrift } from '../metrics/price-drift.ts';
import { createOverviewMetrics, createTaskMetrics } from '../metrics/task-metrics.ts';
import { MODEL_IDS } from '../models/index.ts';
import { QUERY_WINDOW_MS } from '../store/claims.ts';
import type { Connections } from '../store/connections.ts';
import { readOverview } from '../store/stats.ts';
import { createTaskStore } from '../store/store.ts';
import { readArchiveOverview } from '../store/video-copies.ts';
import { createSignedAddress } from '../tasks/signed-address.ts';
import type { Clock } from '../tasks/clock.ts';
import { createPendingCreates } from '../tasks/pending-creates.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import { createRecentTasks } from '../tasks/recent-tasks.ts';
import type { CreateCap } from '../tasks/store.ts';
import { createFeed } from '../tasks/subscriptions/feed.ts';
import { DEFAULT_TIMINGS, type Timings } from '../tasks/timings.ts';
import { USER_AGENT } from '../version.ts';
import { webhookPath } from '../webhooks/route.ts';
import { openArchive, type Archive } from './open-archive.ts';
import { openProvider, type Upstream } from './open-provider.ts';
import type { Cleanup } from './shutdown.ts';

/** Replaces what the configuration makes. */
export interface TaskOverrides {
  readonly timings?: Partial<Timings>;
  readonly archiveTimings?: Partial<ArchiveTimings>;
  readonly clock?: Clock;
  /** Lets tests wrap any port. */
  readonly wrap?: (ports: TaskPorts) => TaskPorts;
}

interface Parts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly cleanup: Cleanup;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly upstream: Upstream;
  /** Origin of callback URLs; null for none. Called at each use. */
  readonly publicUrl: () => string | null;
  /** The gateway's URL for clients. Called at each use. */
  readonly baseUrl: () => string;
  readonly overrides: TaskOverrides;
}

interface OpenTasks {
  readonly ports: TaskPorts;
  readonly store: UploadStore;
  readonly archive: Archive | null;
}

/** Less than a quarter of the provider's retention is left. */
const AT_RISK_MS = 0.75 * ARCHIVE_TIMINGS.providerKeeps;

/** Opens the task store and every other port of tasks. */
export async function openTaskPorts(
  config: Config,
  { baseUrl, cleanup, clock, connections, log, metrics, overrides, publicUrl, upstream }: Parts,
): Promise<OpenTasks> {
  const { registry } = metrics;
  const timings = { ...timingsOf(config), ...overrides.timings };
  const pendingCreates = createPendingCreates(clock);
  const feed = createFeed((error) => {
    log.error({ err: error }, 'a listener of the feed failed');
  });

  const countChanges = createTaskMetrics(registry);
  const watchPrices = createPriceDrift(registry, { log, now: clock.now });
  const store = createTaskStore(connections, {
    audience: feed,
    onWritten: (written) => {
      // The other changes are of copies, of which the archive tells.
      const changes = written.filter(({ videos }) => videos.every(({ copy }) => copy === undefined));
      changes.forEach(pendingCreates.notify);
      countChanges(changes);
      watchPrices(changes);
      for (const { failure, id, revision, state, timeline } of changes) {
        const source = timeline.at(-1)?.source;
        log.info({ task: id, state, revision, source, code: failure?.code }, 'task changed');
      }
    },
    commits: createCommitMetrics(registry),
    onError: (error) => {
      log.error({ err: error }, 'reading the changes of other replicas failed; retrying');
    },
  });
  cleanup.add(() => store.close());
  if (connections.isExclusive) await store.takeOver(clock.now());
  const provider = openProvider(upstream, {
    createTimeoutMs: timings.createTimeout,
    limits: timings,
    log,
    registry,
  });
  createOverviewMetrics(registry, {
    now: clock.now,
    read: () =>
      readOverview(connections.reader, {
        provider: provider.name,
        create: clock.now() - timings.createWindow,
        query: clock.now() - QUERY_WINDOW_MS,
      }),
    limits: { create: timings.createsPerWindow, query: timings.queriesPerSecond },
  });

  const archive = await openArchive(config, {
    log,
    cleanup,
    store,
    provider,
    upstream,
    baseUrl,
    timings: { ...ARCHIVE_TIMINGS, ...overrides.archiveTimings },
    openMetrics: () => openArchiveMetrics(registry, connections, clock),
  });
  const ports = {
    store,
    provider,
    archive,
    workers: archive?.workers ?? [],
    feed,
    pendingCreates,
    callbackAddress: createSignedAddress(await store.secret('callback'), publicUrl, (taskId, token) =>
      webhookPath(provider.name, taskId, token),
    ),
    clock,
    log,
    processId: randomUUID(),
    newTaskId,
    timings,
    recent: createRecentTasks({ clock, store, timings }),
    inTurn: createBeginInTurns(),
    inspectImage: await openInspectImage(config, store, clock),
    offered: new Set(config.models.length > 0 ? config.models : MODEL_IDS),
  };
  return { ports: overrides.wrap?.(ports) ?? ports, store, archive };
}

function openArchiveMetrics(registry: Registry, { reader }: Connections, { now }: Clock): ArchiveMetrics {
  return createArchiveMetrics(registry, {
    now,
    read: () => readArchiveOverview(reader, now() - AT_RISK_MS),
  });
}

/** Imports the client that fetches images only if CHECK_IMAGES is set. */
async function openInspectImage(
  { checkImages }: Config,
  uploads: UploadStore,
  { now }: Clock,
): Promise<TaskPorts['inspectImage']> {
  if (checkImages) {
    const { createInspectImage } = await import('../images/inspect.ts');
    return createInspectImage({ uploads, userAgent: USER_AGENT, now });
  }
  const inspectUpload = createInspectUpload(uploads, now);
  return async (_owner, url, rules) => {
    const issue = await inspectUpload(url, rules);
    return issue === 'not-uploaded' ? null : issue;
  };
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

function timingsOf(config: Config): Timings {
  return {
    ...DEFAULT_TIMINGS,
    createWait: config.createWaitMs,
    createTimeout: config.createTimeoutMs,
    submitDeadline: config.submitDeadlineMs,
    submissionGrace: config.submissionGraceMs,
    taskDeadline: config.taskDeadlineMs,
    tasksKept: config.taskRetentionDays === null ? null : config.taskRetentionDays * DAY_MS,
    createsPerWindow: config.kieCreatesPer10s,
    queriesPerSecond: config.kieQueriesPerS,
    createCaps: [...capOf(config.maxCreatesPerMinute, MINUTE_MS), ...capOf(config.maxCreatesPerDay, DAY_MS)],
  };
}

function capOf(limit: number | null, windowMs: number): readonly CreateCap[] {
  return limit === null ? [] : [{ limit, windowMs }];
}
