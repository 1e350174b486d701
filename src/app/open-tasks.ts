import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as newTaskId } from 'uuid';
import type { UploadStore } from '../pictures/uploads.ts';
import { createKie } from '../provider/kie.ts';
import type { Connections } from '../store/connections.ts';
import { createTaskStore } from '../store/task-store.ts';
import { createCallbackAddress } from '../tasks/callback-address.ts';
import { systemClock, type Clock } from '../tasks/clock.ts';
import { createFeed } from '../tasks/feed.ts';
import type { InspectImage } from '../tasks/image-issue.ts';
import { createOutcomes } from '../tasks/outcomes.ts';
import { createPace } from '../tasks/pace.ts';
import type { TaskPorts } from '../tasks/ports.ts';
import type { Timings } from '../tasks/timings.ts';
import { USER_AGENT } from './user-agent.ts';
import type { Cleanup } from './cleanup.ts';
import type { Upstream } from './upstream.ts';
import { timingsOf } from './timings.ts';
import type { Config } from '../config.ts';

const QUERY_TIMEOUT_MS = 10_000;

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
    readonly cleanup: Cleanup;
    readonly connections: Connections;
    readonly upstream: Upstream;
    /** The origin for callbacks, null for none; asked at each use. */
    readonly publicUrl: () => string | null;
    readonly overrides: TaskOverrides;
  },
): Promise<Opened> {
  const { cleanup, log, overrides, publicUrl, upstream } = options;
  const timings = { ...timingsOf(config), ...overrides.timings };
  const clock = overrides.clock ?? systemClock;
  const outcomes = createOutcomes(clock);
  const feed = createFeed((error) => {
    log.error({ err: error }, 'a listener of the feed failed');
  });

  const store = createTaskStore(options.connections, {
    audience: feed,
    keepsRecords: true,
    onWritten: (changes) => {
      changes.forEach(outcomes.tell);
    },
    onError: (error) => {
      log.error({ err: error }, 'the changes of other processes cannot be read; trying again');
    },
  });
  cleanup.add(() => store.close());
  if (options.connections.isExclusive) await store.takeOver(clock.now());
  const callbackAddress = createCallbackAddress(await store.secret('callback'), publicUrl);

  const provider = createKie({
    apiUrl: upstream.url,
    apiKey: upstream.apiKey,
    userAgent: USER_AGENT,
    createTimeoutMs: timings.createTimeout,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    log,
  });

  const processId = randomUUID();
  const ports = {
    store,
    provider,
    feed,
    outcomes,
    callbackAddress,
    clock,
    log,
    processId,
    newTaskId,
    timings,
    pace: createPace({ clock, store, timings }),
    inspectImage: config.checkImages ? await openInspectImage(store, clock) : null,
  };
  return { ports: overrides.wrap?.(ports) ?? ports, uploads: store };
}

/** Loaded only where pictures are looked at. */
async function openInspectImage(uploads: UploadStore, { now }: Clock): Promise<InspectImage> {
  const { createInspectImage } = await import('../pictures/inspect-image.ts');
  return createInspectImage({ uploads, userAgent: USER_AGENT, now });
}
