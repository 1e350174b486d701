import { describe, expect, it } from 'vitest';
import { resendDelay } from '../../src/tasks/submitter.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';

const SECOND = 1000;

/** Drawn many times, since chance has a part in it. */
function draws(earlierAttempts: number): number[] {
  return Array.from({ length: 500 }, () => resendDelay(earlierAttempts, DEFAULT_TIMINGS));
}

describe('the delay before a create call is sent again', () => {
  it.each([
    { earlier: 0, min: 1 * SECOND, max: 3 * SECOND },
    { earlier: 1, min: 2 * SECOND, max: 6 * SECOND },
    { earlier: 2, min: 4 * SECOND, max: 12 * SECOND },
    { earlier: 3, min: 8 * SECOND, max: 24 * SECOND },
  ])('after $earlier attempts is $min to $max ms', ({ earlier, max, min }) => {
    const delays = draws(earlier);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(min);
    expect(Math.max(...delays)).toBeLessThanOrEqual(max);
  });

  it.each([0, 1, 6, 30])('is in whole ms (after %i attempts)', (earlier) => {
    expect(draws(earlier).filter((delay) => !Number.isInteger(delay))).toEqual([]);
  });

  it.each([6, 10, 30, 2000])(
    'is about a minute in the end (after %i earlier ones), and never more',
    (earlier) => {
      const delays = draws(earlier);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(48 * SECOND);
      expect(Math.max(...delays)).toBeLessThanOrEqual(72 * SECOND);
    },
  );

  it.each([0, 3, 30])(
    'differs from task to task (after %i earlier ones), so that they spread out',
    (earlier) => {
      expect(new Set(draws(earlier)).size).toBeGreaterThan(400);
    },
  );
});
