import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as newTaskId } from 'uuid';
import type { UploadStore } from '../images/upload.ts';
import { createCommitMetrics } from '../metrics/live-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createOverviewMetrics, createTaskMetrics } from '../metrics/task-metrics.ts';
import type { Connections } from '../store/connections.ts';
import { QUERY_WINDOW_MS } from '../store/claims.ts';
import { readOverview } from '../store/stats.ts';
import { openServerClock } from '../store/server-clock.ts';
import { createTaskStore } from '../store/store.ts';
import { createCallbackAddress } from '../tasks/callback-address.ts';
import { systemClock, type Clock } from '../tasks/clock.ts';
import { createFeed, type Feed } from '../tasks/subscriptions/feed.ts';
import type { InspectImage } from '../tasks/image-issue.ts';
import { createPendingCreates, type PendingCreates } from '../tasks/pending-creates.ts';
import { createDurationEstimate } from '../tasks/estimate.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { TaskStore, CreateCap } from '../tasks/store.ts';
import { type Timings, DEFAULT_TIMINGS } from '../tasks/timings.ts';
import { USER_AGENT } from '../version.ts';
import type { Cleanup } from './shutdown.ts';
import { openProvider, type Upstream } from './open-provider.ts';
import type { Config } from '../config/config.ts';
import type { VisibleRecord } from '../tasks/task.ts';
import type { Log } from '../tasks/log.ts';

/** What takes the place of what the configuration makes. */
export interface TaskOverrides {
  readonly timings?: Partial<Timings>;
  readonly clock?: Clock;
  /** Gets the finished ports and returns those that are used. */
  readonly wrap?: (ports: TaskPorts) => TaskPorts;
}

export interface Opened {
  readonly ports: TaskPorts;
  /** On the same store. */
  readonly uploads: UploadStore;
}

/** Opens the store and everything else that a task's life works with. */
export async function openTaskPorts(
  config: Config,
  options: {
    readonly log: Logger;
    /** The same for lines that come by the thousand. */
    readonly lines: Logger;
    readonly metrics: Metrics;
    readonly cleanup: Cleanup;
    readonly connections: Connections;
    readonly upstream: Upstream;
    /** The origin for callbacks, null for none; asked at each use. */
    readonly publicUrl: () => string | null;
    readonly overrides: TaskOverrides;
  },
): Promise<Opened> {
  const { cleanup, connections, lines, log, metrics, overrides, publicUrl, upstream } = options;
  const timings = { ...timingsOf(config), ...overrides.timings };
  const clock = overrides.clock ?? (await openClock(connections, cleanup));
  const outcomes = createPendingCreates(clock);
  const feed = createFeed((error) => {
    log.error({ err: error }, 'a listener of the feed failed');
  });

  const store = openTaskStore(connections, { log, lines, metrics, outcomes, feed });
  cleanup.add(() => store.close());
  if (connections.isExclusive) await store.takeOver(clock.now());
  createOverviewMetrics(metrics.registry, {
    now: clock.now,
    read: () => readOverview(connections.reader, windowsOf(clock.now(), timings)),
    limits: { create: timings.createsPerWindow, query: timings.queriesPerSecond },
  });
  const callbackAddress = createCallbackAddress(await store.secret('callback'), publicUrl);

  const processId = randomUUID();
  const ports = {
    store,
    provider: openProvider(upstream, { createTimeoutMs: timings.createTimeout, log, metrics }),
    feed,
    outcomes,
    callbackAddress,
    clock,
    log: createTaskLog(log, lines),
    processId,
    newTaskId,
    timings,
    pace: createDurationEstimate({ clock, store, timings }),
    inspectImage: config.checkImages ? await openInspectImage(store, clock) : null,
  };
  return { ports: overrides.wrap?.(ports) ?? ports, uploads: store };
}

/** Processes that share a store have to agree what time it is. */
async function openClock({ isExclusive, reader }: Connections, cleanup: Cleanup): Promise<Clock> {
  if (isExclusive) return systemClock;
  const clock = await openServerClock(reader);
  cleanup.add(clock.stop);
  return clock;
}

/** Every change that is committed here is told to those who wait for it, counted, and written to the log. */
function openTaskStore(
  connections: Connections,
  {
    feed,
    lines,
    log,
    metrics: { registry },
    outcomes,
  }: {
    readonly feed: Feed;
    readonly lines: Logger;
    readonly log: Logger;
    readonly metrics: Metrics;
    readonly outcomes: PendingCreates;
  },
): TaskStore & UploadStore {
  const countChanges = createTaskMetrics(registry);
  const logChanges = createLogChanges(lines);
  return createTaskStore(connections, {
    audience: feed,
    keepsRecords: true,
    onWritten: (changes) => {
      changes.forEach(outcomes.tell);
      countChanges(changes);
      logChanges(changes);
    },
    commits: createCommitMetrics(registry),
    onError: (error) => {
      log.error({ err: error }, 'the changes of other processes cannot be read; trying again');
    },
  });
}

/** Since when slots of the limits count. */
function windowsOf(now: number, { createWindow }: Timings) {
  return { create: now - createWindow, query: now - QUERY_WINDOW_MS };
}

/** Loaded only where pictures are looked at. */
async function openInspectImage(uploads: UploadStore, { now }: Clock): Promise<InspectImage> {
  const { createInspectImage } = await import('../images/inspect.ts');
  return createInspectImage({ uploads, userAgent: USER_AGENT, now });
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What the environment says of a task's durations and limits, over the defaults. */
export function timingsOf(config: Config): Timings {
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

/** Returns what writes one line for each change that this process has committed. */
export function createLogChanges(log: Logger): (changes: readonly VisibleRecord[]) => void {
  return (changes) => {
    if (!log.isLevelEnabled('info')) return;
    for (const { failure, id, revision, state, timeline } of changes) {
      const source = timeline.at(-1)?.source;
      log.info({ task: id, state, revision, source, code: failure?.code }, 'task changed');
    }
  };
}

/**
 * The log of tasks. `lines` take what is told at `info`, which comes by the thousand and has members of ours alone; an error
 * may bring anything along.
 */
export function createTaskLog(log: Logger, lines: Logger): Log {
  return {
    debug: log.debug.bind(log),
    info: lines.info.bind(lines),
    warn: log.warn.bind(log),
    error: log.error.bind(log),
  };
}
