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
import { readGauge } from './metrics.ts';

const SOURCES: readonly UpdateSource[] = ['CREATE_ANSWER', 'CALLBACK', 'QUERY', 'GATEWAY'];
const ENDS: readonly TaskState[] = ['SUCCESS', 'FAIL'];

/** From seconds for a video to a day for an expired task. */
const DURATIONS_S = [1, 5, 15, 30, 60, 120, 180, 300, 600, 1200, 3600, 14_400, 86_400];

/** Returns the function to call with each change that this process commits. */
export function createTaskMetrics(registry: Registry): (changes: readonly VisibleRecord[]) => void {
  const registers = [registry];
  const changed = new Counter({
    name: 'kineograph_task_changes_total',
    help: 'Changes of tasks that this process wrote, by the state they led to and by who told of it first. A new task is announced as SUBMITTING, unless it is past that by then.',
    labelNames: ['state', 'source'],
    registers,
  });
  const ended = new Counter({
    name: 'kineograph_tasks_ended_total',
    help: 'Tasks that came to an end, by failure code (none for SUCCESS). One that failed because nothing was heard of it counts again when its true end arrives.',
    labelNames: ['state', 'code'],
    registers,
  });
  const inState = new Histogram({
    name: 'kineograph_task_state_duration_seconds',
    help: 'How long tasks were in a state that they have left.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  const inAll = new Histogram({
    name: 'kineograph_task_duration_seconds',
    help: 'How long tasks took from their creation to their end.',
    labelNames: ['state'],
    buckets: DURATIONS_S,
    registers,
  });
  // Start at 0, so that the first change is visible as an increase.
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

/** Scrapes read the store at most once in this time. */
const KEPT_MS = 5000;

export interface OverviewSources {
  readonly read: () => Promise<Overview>;
  readonly now: () => number;
  /** Sizes of the rate limits. */
  readonly limits: { readonly create: number; readonly query: number };
}

/** Metrics of the store's content. All replicas report the same values. */
export function createOverviewMetrics(registry: Registry, { limits, now, read }: OverviewSources): void {
  const look = keepFor(KEPT_MS, () => read().catch(() => null));
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
    help: 'Tasks that have not ended, by state, those included that nobody was told of yet.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const [state, count] of Object.entries((await look())?.unfinished ?? {}))
        this.set({ state }, count);
    },
  });
  gauge('submissions_waiting', 'Tasks that wait for their turn to be sent to the provider.', (overview) => {
    return overview.waiting;
  });
  gauge(
    'unknown_submissions',
    'Tasks of which nobody knows whether the provider took them; they wait for a callback.',
    (overview) => overview.unknown,
  );
  gauge(
    'oldest_unfinished_task_age_seconds',
    'How long ago the oldest task was created that has not ended; 0 when there is none.',
    (overview) => ageOf(overview.oldestAt),
  );
  gauge(
    'reconciler_lag_seconds',
    'By how much the check of a task is overdue that is overdue the most; 0 when none is.',
    (overview) => ageOf(overview.checkDueAt),
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

/** Caches `read` for `ms`. */
function keepFor<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let kept: { readonly at: number; readonly answer: Promise<T> } | null = null;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at >= ms) kept = { at: now, answer: read() };
    return kept.answer;
  };
}
