import type { VideoOptions } from '../models/define-model.ts';
import type { Clock } from './clock.ts';
import type { ProviderErrorCode } from './failure.ts';
import type { RecentSuccess, TaskStore } from './store.ts';
import type { TaskInput } from './task.ts';
import type { Timings } from './timings.ts';

/** AVAILABLE; or FAILING: most of the last tasks of the model, within a day, ended with the provider's fault. */
export type ModelStatus = 'AVAILABLE' | 'FAILING';

/** What the newest tasks of this gateway tell. No method rejects: without the store, what was read last counts. */
export interface RecentTasks {
  /** Median duration of the newest 100 videos of the same model and options, in ms; null with fewer than five. */
  medianDuration(task: TaskInput): Promise<number | null>;
  /** What the newest video of the same model, options and number of images was charged; null if nobody knows. */
  lastCharge(task: TaskInput): Promise<number | null>;
  /** By the provider's id of the model. */
  status(model: string): Promise<ModelStatus>;
}

/** How many videos the median uses, and how many it needs at least. */
const NEWEST = 100;
const ENOUGH = 5;

/** How many tasks of a model decide its status, how many it needs at least, and how old they may be in ms. */
const NEWEST_ENDED = 20;
const ENOUGH_ENDED = 5;
const ENDED_WITHIN = 24 * 60 * 60 * 1000;

/** Failures that another input would not have prevented. */
const FAULTS: ReadonlySet<ProviderErrorCode> = new Set([
  'PROVIDER_TIMEOUT',
  'MAINTENANCE',
  'SERVER_ERROR',
  'GENERATION_FAILED',
  'FEATURE_DISABLED',
  'MODEL_UNAVAILABLE',
  'EXPIRED',
]);

/** The options that decide duration and price, as text. Tasks of one model and variant are alike. */
export function variantOf({ durationSeconds, resolution, sound }: VideoOptions): string {
  return [durationSeconds, resolution, sound].map((value) => String(value ?? '')).join('/');
}

type Store = Pick<TaskStore, 'newestSuccesses' | 'newestOutcomes'>;

/** Reads the store once per `estimateEvery` for each model and variant. */
export function createRecentTasks(options: {
  readonly clock: Clock;
  readonly store: Store;
  readonly timings: Pick<Timings, 'estimateEvery'>;
}): RecentTasks {
  const { store } = options;
  const successes = createFresh(options, summaryOf([]));
  const outcomes = createFresh<readonly (ProviderErrorCode | null)[]>(options, []);
  const alike = ({ model, options: chosen }: TaskInput) => {
    const variant = variantOf(chosen);
    const read = async () => summaryOf(await store.newestSuccesses(model, variant, NEWEST));
    return successes(`${model} ${variant}`, read);
  };

  return {
    medianDuration: async (task) => (await alike(task)).median,
    async lastCharge(task) {
      const charged = (await alike(task)).videos.find(
        ({ credits, hasEndImage }) => credits !== null && hasEndImage === (task.endImageUrl !== null),
      );
      return charged?.credits ?? null;
    },
    async status(model) {
      const since = options.clock.now() - ENDED_WITHIN;
      const codes = await outcomes(model, () => store.newestOutcomes(model, since, NEWEST_ENDED));
      const faults = codes.filter((code) => code !== null && FAULTS.has(code)).length;
      return codes.length >= ENOUGH_ENDED && faults > codes.length / 2 ? 'FAILING' : 'AVAILABLE';
    },
  };
}

/** The median is needed at every change, so it is computed once per read. */
function summaryOf(videos: readonly RecentSuccess[]) {
  return { videos, median: medianOf(videos.map(({ duration }) => duration)) };
}

/** Returns what `read` returned last for a key, and reads again after `estimateEvery`. There are few keys. */
function createFresh<Value>(
  { clock, timings }: { readonly clock: Clock; readonly timings: Pick<Timings, 'estimateEvery'> },
  none: Value,
) {
  const known = new Map<string, { readonly readAt: number; readonly value: Promise<Value> }>();
  return (key: string, read: () => Promise<Value>): Promise<Value> => {
    const now = clock.now();
    const before = known.get(key);
    // abs: the clock may be set back.
    if (before && Math.abs(now - before.readAt) < timings.estimateEvery) return before.value;
    const value = read().catch(() => before?.value ?? none);
    known.set(key, { readAt: now, value });
    return value;
  };
}

function medianOf(durations: readonly number[]): number | null {
  if (durations.length < ENOUGH) return null;
  const sorted = [...durations].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
