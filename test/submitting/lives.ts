import { randomUUID } from 'node:crypto';
import { openSqliteStore } from '../kit/store.ts';
import { createKie } from '../../src/providers/kie/client.ts';
import { createCallbackAddress } from '../../src/tasks/callback-address.ts';
import { systemClock, type Clock } from '../../src/tasks/clock.ts';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import { createPendingCreates } from '../../src/tasks/pending-creates.ts';
import { createDurationEstimate } from '../../src/tasks/estimate.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { createTasks, type Tasks } from '../../src/tasks/tasks.ts';
import { DEFAULT_TIMINGS, type Timings } from '../../src/tasks/timings.ts';
import type { FakeProvider } from '../kit/provider.ts';
import { quickDir } from '../kit/gateway.ts';
import { onTestEnd, recordFailure, createQueue } from '../kit/waits.ts';

/** One store with room for several processes' lives of tasks, none of which is told what another one writes. */
export interface Lives {
  readonly store: TaskStore;
  /** What the next process that wanted to store a task has stored, or found in its place. */
  stored(): Promise<TaskRecord>;
  /** Begins to submit and to check, as the next process. */
  start(options?: LifeOptions): Tasks;
  /** A process that takes wishes and never gets to anything else: it dies too early. */
  stillborn(options?: LifeOptions): Tasks;
}

export interface LifeOptions {
  readonly clock?: Clock;
  readonly timings?: Partial<Timings>;
}

const ignore = (): void => undefined;

export async function openLives(provider: FakeProvider): Promise<Lives> {
  const real = await openSqliteStore(await quickDir(), ignore);
  onTestEnd(() => real.close());
  const inserts = createQueue<TaskRecord>('a task that a process stores');
  const insert = async (record: TaskRecord): Promise<TaskRecord> => {
    const stored = await real.insert(record);
    inserts.push(stored);
    return stored;
  };
  const store = { ...real, insert };
  const callbackAddress = createCallbackAddress(
    await store.secret('callback'),
    () => 'https://gateway.example',
  );
  const log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_fields: object, message: string) => {
      recordFailure(message);
    },
  };
  let processes = 0;

  function stillborn({ clock = systemClock, timings = {} }: LifeOptions = {}): Tasks {
    const kie = createKie({
      apiUrl: provider.url,
      apiKey: 'test-key',
      userAgent: 'test',
      createTimeoutMs: 10_000,
      queryTimeoutMs: 10_000,
      log,
    });
    onTestEnd(() => kie.close());
    processes += 1;
    const allTimings = { ...DEFAULT_TIMINGS, ...timings };
    return createTasks({
      store,
      callbackAddress,
      clock,
      log,
      provider: kie,
      feed: createFeed((error) => {
        recordFailure(String(error));
      }),
      pendingCreates: createPendingCreates(clock),
      timings: allTimings,
      estimate: createDurationEstimate({ clock, store, timings: allTimings }),
      inspectImage: null,
      processId: `process-${processes}`,
      newTaskId: randomUUID,
    });
  }

  return {
    store,
    stored: () => inserts.take(),
    stillborn,
    start(options) {
      const tasks = stillborn(options);
      tasks.start();
      onTestEnd(async () => {
        await tasks.stop(0);
      });
      return tasks;
    },
  };
}
