import { Counter, Histogram, type Registry, Gauge } from 'prom-client';
import { PROVIDER_ERROR_CODES } from '../tasks/failure.ts';
import {
  TASK_STATES,
  isTerminal,
  type VisibleRecord,
  type TaskState,
  type UpdateSource,
} from '../tasks/task.ts';
import type { Overview } from '../store/stats.ts';
import { keptRead, readGauge } from './metrics.ts';

const SOURCES: readonly UpdateSource[] = ['CREATE_ANSWER', 'CALLBACK', 'QUERY', 'GATEWAY'];
const ENDS: readonly TaskState[] = ['SUCCESS', 'FAIL'];

/** A video takes minutes; a task that is given up takes up to a day. */
const DURATIONS_S = [1, 5, 15, 30, 60, 120, 180, 300, 600, 1200, 3600, 14_400, 86_400];

/** Returns a function to be called once with each change of a state that this process has committed. */
export function createTaskMetrics(registry: Registry): (changes: readonly VisibleRecord[]) => void {
  const registers = [registry];
  const changed = new Counter({
    name: 'kineograph_task_changes_total',
    help: 'Changes of tasks that this process wrote, by new state and source.',
    labelNames: ['state', 'source'],
    registers,
  });
  const ended = new Counter({
    name: 'kineograph_tasks_ended_total',
    help: 'Tasks that ended, by failure code (none for SUCCESS). A task that failed for lack of news counts again when its real end arrives.',
    labelNames: ['state', 'code'],
    registers,
  });
  const inState = new Histogram({
    name: 'kineograph_task_state_duration_seconds',
    help: 'Time that tasks spent in a state that they have left.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  const inAll = new Histogram({
    name: 'kineograph_task_duration_seconds',
    help: 'Time from the creation of tasks to their end.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  // At zero from the start, so that the first one is an increase.
  for (const state of ENDS) for (const source of SOURCES) changed.labels(state, source).inc(0);
  ended.labels('SUCCESS', 'none').inc(0);
  for (const code of PROVIDER_ERROR_CODES) ended.labels('FAIL', code).inc(0);
  for (const state of TASK_STATES) (isTerminal(state) ? inAll : inState).zero({ state });

  return (changes) => {
    for (const { completedAt, createdAt, failure, state, timeline } of changes) {
      const last = timeline.at(-1);
      const before = timeline.at(-2);
      changed.labels(state, last?.source ?? 'GATEWAY').inc();
      if (last && before && before.state !== 'FAIL')
        inState.labels(before.state).observe((last.at - before.at) / 1000);
      if (completedAt === null) continue;
      ended.labels(state, failure?.code ?? 'none').inc();
      inAll.labels(state).observe((completedAt - createdAt) / 1000);
    }
  };
}

interface OverviewSources {
  readonly read: () => Promise<Overview>;
  readonly now: () => number;
  /** Sizes of the rate limits. */
  readonly limits: { readonly create: number; readonly query: number };
}

/** What the store holds now; all replicas show the same. */
export function createOverviewMetrics(registry: Registry, { limits, now, read }: OverviewSources): void {
  const look = keptRead(read);
  const gauge = (name: string, help: string, valueIn: (overview: Overview) => number): void => {
    readGauge(registry, `kineograph_${name}`, help, async () => {
      const overview = await look();
      return overview && valueIn(overview);
    });
  };
  const ageOf = (at: number | null): number => (at === null ? 0 : Math.max(0, now() - at) / 1000);

  readGauge(registry, 'kineograph_store_up', '1 while the store can be read, else 0.', async () =>
    (await look()) ? 1 : 0,
  );
  new Gauge({
    name: 'kineograph_tasks',
    help: 'Unfinished tasks by state, hidden ones included.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const [state, count] of Object.entries((await look())?.unfinished ?? {}))
        this.set({ state }, count);
    },
  });
  gauge('submissions_waiting', 'Tasks that wait to be sent to the provider.', ({ waiting }) => waiting);
  gauge(
    'unknown_submissions',
    'Tasks whose create call has an unknown outcome; they wait for a callback.',
    ({ unknown }) => unknown,
  );
  gauge(
    'oldest_unfinished_task_age_seconds',
    'Age of the oldest unfinished task; 0 when there is none.',
    ({ oldestAt }) => ageOf(oldestAt),
  );
  gauge(
    'reconciler_lag_seconds',
    'Lag of the most overdue query of a task; 0 when none is overdue.',
    ({ checkDueAt }) => ageOf(checkDueAt),
  );
  new Gauge({
    name: 'kineograph_provider_slots_used',
    help: "How many calls of the provider's limits were used in the running window (10.5 s for create, 1 s for query).",
    labelNames: ['calls'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const [calls, count] of Object.entries((await look())?.slots ?? {})) this.set({ calls }, count);
    },
  });
  const slots = new Gauge({
    name: 'kineograph_provider_slots',
    help: 'How many there are: KIE_CREATES_PER_10S and KIE_QUERIES_PER_S.',
    labelNames: ['calls'],
    registers: [registry],
  });
  slots.set({ calls: 'create' }, limits.create);
  slots.set({ calls: 'query' }, limits.query);
}
