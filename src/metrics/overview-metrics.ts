import { Gauge, type Registry } from 'prom-client';
import type { Overview } from '../store/overview.ts';
import { readGauge } from './reading.ts';

/** However often somebody scrapes, the store is not read more often. */
const KEPT_MS = 5000;

export interface OverviewSources {
  /** Rejects when the store cannot be read. */
  readonly read: () => Promise<Overview>;
  readonly now: () => number;
  /** How many calls the limits allow. */
  readonly limits: { readonly create: number; readonly query: number };
}

/** What is in the store right now: with several replicas they all show the same. */
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

/** The same answer for all who ask within `ms`. */
function keepFor<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let kept: { readonly at: number; readonly answer: Promise<T> } | null = null;
  return () => {
    const now = performance.now();
    if (!kept || now - kept.at >= ms) kept = { at: now, answer: read() };
    return kept.answer;
  };
}
