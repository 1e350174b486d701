import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL, withDefaults } from '../../src/models/index.ts';
import type { ProviderErrorCode } from '../../src/tasks/failure.ts';
import { createRecentTasks } from '../../src/tasks/recent-tasks.ts';
import { StoreUnavailableError, type RecentSuccess } from '../../src/tasks/store.ts';
import type { TaskInput } from '../../src/tasks/task.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';

const TASK: TaskInput = {
  model: DEFAULT_MODEL.name,
  prompt: 'snow',
  imageUrl: 'https://files.example/first.png',
  endImageUrl: null,
  promptOptimizer: null,
  options: withDefaults(DEFAULT_MODEL),
};

const success = (fields: Partial<RecentSuccess> = {}): RecentSuccess => ({
  duration: 1,
  credits: null,
  hasEndImage: false,
  ...fields,
});
const lasting = (durations: readonly number[]) => durations.map((duration) => success({ duration }));

interface Scene {
  successes: readonly RecentSuccess[];
  outcomes: readonly (ProviderErrorCode | null)[];
  isAway: boolean;
  reads: number;
}

/** What recent tasks tell, over a store that a test changes; counts its reads. */
function create(fields: Partial<Scene>) {
  const scene: Scene = { successes: [], outcomes: [], isAway: false, reads: 0, ...fields };
  const clock = createStandingClock();
  const read = <T>(all: readonly T[], limit: number): Promise<readonly T[]> => {
    scene.reads += 1;
    return scene.isAway
      ? Promise.reject(new StoreUnavailableError('away'))
      : Promise.resolve(all.slice(0, limit));
  };
  const recent = createRecentTasks({
    clock,
    store: {
      newestSuccesses: (_model, _variant, limit) => read(scene.successes, limit),
      newestOutcomes: (_model, _since, limit) => read(scene.outcomes, limit),
    },
    timings: { estimateEvery: 10_000 },
  });
  return { clock, recent, scene };
}

describe('the median duration', () => {
  it.each([
    ['unknown with fewer than five', [1, 2, 3, 4], null],
    ['five', [50, 10, 40, 20, 30], 30],
    ['an outlier changes nothing', [10, 20, 30, 40, 1_000_000], 30],
    ['a hundred count', [...Array<number>(100).fill(7), ...Array<number>(200).fill(1000)], 7],
  ])('is that of the newest videos: %s', async (_, durations, expected) => {
    expect(await create({ successes: lasting(durations) }).recent.medianDuration(TASK)).toBe(expected);
  });

  it('is read once per interval, again after the clock was set back, and keeps its value during an outage', async () => {
    const { clock, recent, scene } = create({ successes: lasting([1, 1, 1, 1, 1]) });
    const median = () => recent.medianDuration(TASK);
    expect(await Promise.all([median(), median()])).toEqual([1, 1]);
    scene.successes = lasting([2, 2, 2, 2, 2]);
    clock.advance(9999);
    expect([await median(), scene.reads]).toEqual([1, 1]);
    clock.advance(1);
    expect(await median()).toBe(2);
    clock.advance(-3_600_000);
    scene.isAway = true;
    expect([await median(), scene.reads]).toEqual([2, 3]);
  });
});

describe('the last charge', () => {
  it('is that of the newest video with as many images and a known charge', async () => {
    const { recent } = create({
      successes: [
        success({ credits: 61, hasEndImage: true }),
        success(),
        success({ credits: 0 }),
        success({ credits: 57 }),
      ],
    });
    expect(await recent.lastCharge(TASK)).toBe(0);
    expect(await recent.lastCharge({ ...TASK, endImageUrl: 'https://files.example/last.png' })).toBe(61);
  });

  it('is unknown without such a video, and while the store is away', async () => {
    expect(await create({ successes: [success()] }).recent.lastCharge(TASK)).toBeNull();
    expect(await create({ isAway: true }).recent.lastCharge(TASK)).toBeNull();
  });
});

describe('a model is', () => {
  const many = (count: number, code: ProviderErrorCode | null): (ProviderErrorCode | null)[] =>
    Array<ProviderErrorCode | null>(count).fill(code);

  it.each<readonly [string, readonly (ProviderErrorCode | null)[], 'AVAILABLE' | 'FAILING']>([
    ['no tasks', [], 'AVAILABLE'],
    ['four tasks, all failed', many(4, 'SERVER_ERROR'), 'AVAILABLE'],
    ['five tasks, all failed', many(5, 'SERVER_ERROR'), 'FAILING'],
    ['half of them failed', [...many(3, 'GENERATION_FAILED'), ...many(3, null)], 'AVAILABLE'],
    ['most of them failed', [...many(4, 'PROVIDER_TIMEOUT'), ...many(3, null)], 'FAILING'],
    ['failures through the input', many(9, 'INVALID_INPUT'), 'AVAILABLE'],
    ['failures through the account', many(9, 'INSUFFICIENT_CREDITS'), 'AVAILABLE'],
    ['cancelled tasks', many(9, 'CANCELLED'), 'AVAILABLE'],
    ['twenty successes after many failures', [...many(20, null), ...many(99, 'SERVER_ERROR')], 'AVAILABLE'],
  ])('by its newest tasks: %s', async (_, outcomes, expected) => {
    expect(await create({ outcomes }).recent.status(DEFAULT_MODEL.name)).toBe(expected);
  });
});
