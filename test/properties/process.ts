import { randomUUID } from 'node:crypto';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import { openTaskStore } from '../kit/store.ts';
import { createCallbackAddress } from '../../src/tasks/callback-address.ts';
import type { Clock } from '../../src/tasks/clock.ts';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import { createPendingCreates } from '../../src/tasks/pending-creates.ts';
import { createDurationEstimate } from '../../src/tasks/estimate.ts';
import type { Provider } from '../../src/tasks/provider.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord, TaskRecord } from '../../src/tasks/task.ts';
import { createTasks, type Tasks } from '../../src/tasks/tasks.ts';
import { DEFAULT_TIMINGS, type Timings } from '../../src/tasks/timings.ts';
import { TIMES } from './rules.ts';

/** The life of tasks on a real store, in a process that can be killed. */
export interface Process {
  readonly tasks: Tasks;
  /** For looking at what is stored; not counted as work. */
  readonly store: TaskStore;
  /** Where the provider calls back for a task. */
  readonly addressOf: (taskId: string) => string;
  readonly isDead: () => boolean;
  /** Nothing that it began goes on, but for what the store is writing already. */
  kill(): Promise<void>;
}

export interface ProcessOptions {
  readonly location: StoreLocation;
  readonly clock: Clock;
  readonly provider: Provider;
  /** Told of every row that is asked to be added, and of the one that is there then. */
  readonly onInsert: (asked: TaskRecord, stored: TaskRecord) => void;
  readonly onChanges: (changes: readonly VisibleRecord[]) => void;
  readonly onError: (error: Error) => void;
  /** Called with +1 when work on the store begins and with -1 when it ends. */
  readonly count: (change: 1 | -1) => void;
}

/** No limit is ever reached, a callback has the provider asked at once, and what nobody announced is looked for rarely: both have tests of their own. */
const TIMINGS: Timings = {
  ...DEFAULT_TIMINGS,
  ...TIMES,
  createsPerWindow: 1000,
  queriesPerSecond: 1000,
  bringForwardEvery: 0,
};

const ignore = (): void => undefined;

export async function startProcess(options: ProcessOptions): Promise<Process> {
  const { location, onChanges, onError, onInsert } = options;
  let isDead = false;
  const clock: Clock = {
    now: () => options.clock.now(),
    after: (ms, run) =>
      options.clock.after(ms, () => {
        if (!isDead) run();
      }),
  };
  const pendingCreates = createPendingCreates(clock);
  const feed = createFeed(() => {
    onError(new Error('a listener of the feed failed'));
  });
  const real = await openTaskStore(location, (changes) => {
    onChanges(changes);
    feed.publish(changes);
    changes.forEach(pendingCreates.notify);
  });
  const insert = async (asked: TaskRecord): Promise<TaskRecord> => {
    const stored = await real.insert(asked);
    onInsert(asked, stored);
    return stored;
  };
  const store = mortal({ ...real, insert }, () => isDead, options.count);
  if (location.kind === 'sqlite') await store.takeOver(clock.now());
  const callbackAddress = createCallbackAddress(
    await store.secret('callback'),
    () => 'https://gateway.example',
  );
  const tasks = createTasks({
    store,
    pendingCreates,
    feed,
    callbackAddress,
    clock,
    provider: mortal(options.provider, () => isDead, ignore),
    timings: TIMINGS,
    estimate: createDurationEstimate({ clock, store, timings: TIMINGS }),
    inspectImage: null,
    processId: randomUUID(),
    newTaskId: randomUUID,
    log: {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fields, message) => {
        onError(new Error(`${message} ${JSON.stringify(fields)}`));
      },
    },
  });
  tasks.start();
  return {
    tasks,
    store: real,
    addressOf: (taskId) => String(callbackAddress.urlFor(taskId)),
    isDead: () => isDead,
    async kill() {
      isDead = true;
      await real.close();
    },
  };
}

/** The same object, whose promises are never settled again once its process is dead. */
function mortal<T extends object>(target: T, isDead: () => boolean, count: ProcessOptions['count']): T {
  const never = new Promise<never>(ignore);
  return new Proxy(target, {
    get(_target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (isDead()) return never;
        count(1);
        const [end] = await Promise.allSettled([Reflect.apply(member, target, args)]);
        count(-1);
        if (isDead()) return never;
        if (end.status === 'rejected') throw end.reason;
        return end.value as unknown;
      };
    },
  });
}
