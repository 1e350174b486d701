import { describe, expect, it } from 'vitest';
import { createDurationEstimate } from '../../src/tasks/estimate.ts';
import { StoreUnavailableError } from '../../src/tasks/store.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';

const LOOK = 10_000;

/** A estimate over durations that a test changes; counts how often they are read. */
function createScene(durations: readonly number[]) {
  const scene = { durations, reads: 0, isAway: false };
  const clock = createStandingClock();
  const estimate = createDurationEstimate({
    clock,
    store: {
      newestDurations: (limit) => {
        scene.reads += 1;
        if (scene.isAway) return Promise.reject(new StoreUnavailableError('away'));
        return Promise.resolve(scene.durations.slice(0, limit));
      },
    },
    timings: { estimateEvery: LOOK },
  });
  return { clock, estimate, scene };
}

describe('the duration estimate', () => {
  it.each([
    ['unknown with fewer than five', [1, 2, 3, 4], null],
    ['five', [50, 10, 40, 20, 30], 30],
    ['an outlier changes nothing', [10, 20, 30, 40, 1_000_000], 30],
    ['a hundred count', [...Array<number>(100).fill(7), ...Array<number>(200).fill(1000)], 7],
  ])('is the median of the newest videos: %s', async (_, durations, expected) => {
    expect(await createScene(durations).estimate.median()).toBe(expected);
  });

  it('is read once per interval, shared by concurrent calls', async () => {
    const { clock, estimate, scene } = createScene([1, 1, 1, 1, 1]);
    expect(await Promise.all([estimate.median(), estimate.median()])).toEqual([1, 1]);
    scene.durations = [2, 2, 2, 2, 2];
    clock.advance(LOOK - 1);
    expect(await estimate.median()).toBe(1);
    expect(scene.reads).toBe(1);
    clock.advance(1);
    expect(await estimate.median()).toBe(2);
  });

  it('is read again after the clock was set back', async () => {
    const { clock, estimate, scene } = createScene([1, 1, 1, 1, 1]);
    await estimate.median();
    clock.advance(-3_600_000);
    await estimate.median();
    expect(scene.reads).toBe(2);
  });

  it('keeps its value during an outage', async () => {
    const { clock, estimate, scene } = createScene([1, 1, 1, 1, 1]);
    await estimate.median();
    scene.isAway = true;
    clock.advance(LOOK);
    expect(await estimate.median()).toBe(1);
  });
});
