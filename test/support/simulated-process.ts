import { randomUUID } from 'node:crypto';
import { openSqliteStore } from './open-store.ts';
import { createCallbackAddress } from '../../src/tasks/callback-address.ts';
import type { Clock } from '../../src/tasks/clock.ts';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import type { Log } from '../../src/tasks/log.ts';
import { createPendingCreates } from '../../src/tasks/pending-creates.ts';
import { createDurationEstimate } from '../../src/tasks/estimate.ts';
import type { Provider } from '../../src/tasks/provider.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { createTasks, type Tasks } from '../../src/tasks/tasks.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';

/** The life of tasks on a real store, without its doors, that can be killed as a process is. */
export interface SimulatedProcess {
  readonly tasks: Tasks;
  readonly store: TaskStore;
  /** Fulfilled when it is killed. */
  readonly died: Promise<void>;
  /** From now on nothing that it began goes on: no timer fires, no write begins, no answer arrives. */
  kill(): Promise<void>;
}

export interface SimulatedProcessOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly provider: Provider;
  readonly onError: (message: string, fields: object) => void;
  /** Called with +1 when real work begins and with -1 when it ends. */
  readonly count: (change: 1 | -1) => void;
}

export async function startSimulatedProcess(options: SimulatedProcessOptions): Promise<SimulatedProcess> {
  const { dataDir, onError } = options;
  let isDead = false;
  let die = (): void => undefined;
  const died = new Promise<void>((resolve) => {
    die = resolve;
  });

  const clock: Clock = {
    now: () => options.clock.now(),
    after: (ms, run) =>
      options.clock.after(ms, () => {
        if (!isDead) run();
      }),
  };
  const pendingCreates = createPendingCreates(clock);
  const feed = createFeed((error) => {
    onError('a listener failed', { error });
  });
  const real = await openSqliteStore(dataDir, (changes) => {
    feed.publish(changes);
    changes.forEach(pendingCreates.notify);
  });
  const store = mortal(real, () => isDead, options.count);
  const provider = mortal(options.provider, () => isDead);
  await store.takeOver(clock.now());
  const callbackAddress = createCallbackAddress(
    await store.secret('callback'),
    () => 'https://gateway.example.test',
  );
  const tasks = createTasks({
    store,
    provider,
    feed,
    pendingCreates,
    callbackAddress,
    clock,
    log: errorsTo(onError),
    timings: DEFAULT_TIMINGS,
    estimate: createDurationEstimate({ clock, store, timings: DEFAULT_TIMINGS }),
    inspectImage: null,
    processId: `process-${clock.now()}`,
    newTaskId: randomUUID,
  });
  tasks.start();
  return {
    tasks,
    store,
    died,
    async kill() {
      isDead = true;
      die();
      await real.close();
    },
  };
}

/** The same object, whose promises are never settled again once its process is dead. */
function mortal<T extends object>(
  target: T,
  isDead: () => boolean,
  count: (change: 1 | -1) => void = () => undefined,
): T {
  const never = new Promise<never>(() => undefined);
  return new Proxy(target, {
    get(_target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (isDead()) return never;
        count(1);
        try {
          const result: unknown = await Reflect.apply(member, target, args);
          return isDead() ? await never : result;
        } catch (error) {
          if (isDead()) return await never;
          throw error;
        } finally {
          count(-1);
        }
      };
    },
  });
}

function errorsTo(onError: SimulatedProcessOptions['onError']): Log {
  const ignore = (): void => undefined;
  return {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (fields, message) => {
      onError(message, fields);
    },
  };
}
