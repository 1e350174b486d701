import { randomUUID } from 'node:crypto';
import { createBeginInTurns } from '../../src/limits/turns.ts';
import { MODEL_IDS } from '../../src/models/index.ts';
import type { StoreLocation } from '../../src/store/open-connections.ts';
import { createSignedAddress } from '../../src/tasks/signed-address.ts';
import type { Clock } from '../../src/tasks/clock.ts';
import { createPendingCreates } from '../../src/tasks/pending-creates.ts';
import type { CreateOutcome, Provider, QueryAnswer } from '../../src/tasks/provider.ts';
import { createRecentTasks } from '../../src/tasks/recent-tasks.ts';
import type { TaskStore } from '../../src/tasks/store.ts';
import { createFeed } from '../../src/tasks/subscriptions/feed.ts';
import type { TaskRecord, VisibleRecord } from '../../src/tasks/task.ts';
import { createTasks, type Tasks } from '../../src/tasks/tasks.ts';
import { DEFAULT_TIMINGS, type Timings } from '../../src/tasks/timings.ts';
import { webhookPath } from '../../src/webhooks/route.ts';
import { openTaskStore } from './store.ts';
import { deferred } from './waits.ts';

const ignore = (): void => undefined;

interface LifeOptions {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly provider: Provider;
  readonly timings?: Partial<Timings>;
  readonly onError: (message: string, fields: object) => void;
}

/** The use cases of tasks without their doors; `tell` gives it the changes that a store has committed. */
export async function createLife({ clock, onError, provider, store, ...options }: LifeOptions) {
  const timings = { ...DEFAULT_TIMINGS, ...options.timings };
  const pendingCreates = createPendingCreates(clock);
  const feed = createFeed((error) => {
    onError('a listener of the feed failed', { error });
  });
  const secret = await store.secret('callback');
  const callbackAddress = createSignedAddress(
    secret,
    () => 'https://gateway.example',
    (taskId, token) => webhookPath(provider.name, taskId, token),
  );
  const log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (fields: object, message: string) => {
      onError(message, fields);
    },
  };
  const tasks = createTasks({
    store,
    provider: { ...provider, limits: timings },
    feed,
    pendingCreates,
    callbackAddress,
    clock,
    log,
    timings,
    recent: createRecentTasks({ clock, store, timings }),
    inTurn: createBeginInTurns(),
    inspectImage: () => Promise.resolve(null),
    offered: new Set(MODEL_IDS),
    archive: null,
    workers: [],
    processId: randomUUID(),
    newTaskId: randomUUID,
  });
  const tell = (changes: readonly VisibleRecord[]): void => {
    feed.publish(changes);
    changes.forEach(pendingCreates.notify);
  };
  return { tasks, tell, addressOf: (taskId: string) => String(callbackAddress.urlFor(taskId)) };
}

/** The life of tasks on a real store that can be killed as a process is. */
export interface SimulatedProcess {
  readonly tasks: Tasks;
  /** For looking at what is stored; not counted as work. */
  readonly store: TaskStore;
  /** Where the provider calls back for a task. */
  readonly addressOf: (taskId: string) => string;
  readonly isDead: () => boolean;
  /** Fulfilled when it is killed. */
  readonly died: Promise<void>;
  /** Nothing that it began goes on: no timer fires, no write begins, no answer arrives. */
  kill(): Promise<void>;
}

interface SimulatedProcessOptions extends Omit<LifeOptions, 'store'> {
  readonly location: StoreLocation;
  /** Called with +1 when work on the store begins and with -1 when it ends. */
  readonly count: (change: 1 | -1) => void;
  readonly onInsert?: (stored: TaskRecord) => void;
  readonly onChanges?: (changes: readonly VisibleRecord[]) => void;
}

export async function startSimulatedProcess(options: SimulatedProcessOptions): Promise<SimulatedProcess> {
  const { location, onChanges = ignore, onInsert = ignore } = options;
  const { promise: died, resolve: die } = deferred();
  let isDead = false;
  const clock: Clock = {
    now: () => options.clock.now(),
    after: (ms, run) =>
      options.clock.after(ms, () => {
        if (!isDead) run();
      }),
  };
  let tell: (changes: readonly VisibleRecord[]) => void = ignore;
  const real = await openTaskStore(location, (changes) => {
    onChanges(changes);
    tell(changes);
  });
  const insert = async (asked: TaskRecord): Promise<TaskRecord> => {
    const stored = await real.insert(asked);
    onInsert(stored);
    return stored;
  };
  const store = mortal({ ...real, insert }, () => isDead, options.count);
  if (location.kind === 'sqlite') await store.takeOver(clock.now());
  const provider = mortal(options.provider, () => isDead);
  const life = await createLife({ ...options, clock, provider, store });
  tell = life.tell;
  life.tasks.start();
  return {
    tasks: life.tasks,
    store: real,
    addressOf: life.addressOf,
    isDead: () => isDead,
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
  count: SimulatedProcessOptions['count'] = ignore,
): T {
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

/** A call to the provider that somebody waits for. */
export interface PendingCall<TAnswer> {
  /** The callback address of a create call, the provider's id of a query. */
  readonly about: string;
  readonly settle: (answer: TAnswer) => void;
}

/** A provider whose calls stay pending until the test settles them, in whichever order, or a create call times out. */
export function createPendingProvider(
  clock: Clock,
  options: {
    readonly createTimeout: number;
    readonly onCreate: (callbackUrl: string) => void;
    readonly onQuery: (providerTaskId: string) => void;
  },
) {
  const creates: PendingCall<CreateOutcome>[] = [];
  const queries: PendingCall<QueryAnswer>[] = [];
  const nothing: QueryAnswer = { kind: 'nothing', reason: 'recordInfo is null' };
  let isAnswering = false;
  const provider: Provider = {
    name: 'kie',
    limits: DEFAULT_TIMINGS,
    createTask(_input, callbackUrl) {
      if (callbackUrl === null) throw new Error('the simulation needs callback addresses');
      options.onCreate(callbackUrl);
      const { call, answered } = pend(creates, callbackUrl);
      clock.after(options.createTimeout, () => {
        if (creates.includes(call)) call.settle({ kind: 'unknown', reason: 'no whole answer' });
      });
      return answered;
    },
    queryTask(providerTaskId) {
      options.onQuery(providerTaskId);
      return isAnswering ? Promise.resolve(nothing) : pend(queries, providerTaskId).answered;
    },
    parseCallback: () => 'other',
    verifyCallback: () => 'unknown',
    upload: () => Promise.resolve({ kind: 'unavailable', retryAfterMs: null }),
    credits: () => Promise.resolve(null),
    freshUrl: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
  return {
    provider,
    creates,
    queries,
    /** From now on queries are answered at once with nothing, or left pending. */
    answerQueries(value: boolean): void {
      isAnswering = value;
      if (value) for (const query of [...queries]) query.settle(nothing);
    },
    /** Nobody waits for its calls any more. */
    forgetCalls(): void {
      creates.length = queries.length = 0;
    },
  };
}

function pend<TAnswer>(calls: PendingCall<TAnswer>[], about: string) {
  const { promise: answered, resolve } = deferred<TAnswer>();
  const call: PendingCall<TAnswer> = {
    about,
    settle(answer) {
      calls.splice(calls.indexOf(call), 1);
      resolve(answer);
    },
  };
  calls.push(call);
  return { call, answered };
}
