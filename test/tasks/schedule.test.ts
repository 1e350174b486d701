import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextCheckTime } from '../../src/tasks/schedule.ts';
import { resendDelay } from '../../src/tasks/submitter.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';

const THEN = 1_763_798_400_000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Least, most and number of different results: chance has a part in each. */
function draw(once: () => number) {
  const drawn = Array.from({ length: 500 }, once);
  return { least: Math.min(...drawn), most: Math.max(...drawn), kinds: new Set(drawn).size };
}

const checkIn = (age: number, timings = DEFAULT_TIMINGS): number =>
  nextCheckTime({ createdAt: THEN }, THEN + age, timings) - (THEN + age);

describe('the time until the next check', () => {
  it.each([
    ['5 s for a new task', 0, 5 * SECOND],
    ['5 s until it is 15 s old', 15 * SECOND, 5 * SECOND],
    ['a third of its age after that', MINUTE, 20 * SECOND],
    ['5 min for one of 15 min', 15 * MINUTE, 5 * MINUTE],
    ['5 min for one of a day', 24 * 60 * MINUTE, 5 * MINUTE],
    ['5 s when the clock was set back', -60 * MINUTE, 5 * SECOND],
  ])('is %s, ±20 % and half a second (at an age of %i ms)', (_, age, middle) => {
    const { least, most } = draw(() => checkIn(age));
    expect(least).toBeGreaterThanOrEqual(0.8 * middle - 0.5 * SECOND);
    expect(most).toBeLessThanOrEqual(1.2 * middle + 0.5 * SECOND);
  });

  it('differs between tasks that were created together', () => {
    const { kinds, least, most } = draw(() => checkIn(10 * MINUTE));
    expect(kinds).toBeGreaterThan(60);
    expect(most - least).toBeGreaterThan(0.3 * 200 * SECOND);
  });

  it('ends at a whole second at any age, and at a whole ms of the future with any interval', () => {
    const bound = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), bound, bound, (age, one, other) => {
        expect(Math.abs((THEN + age + checkIn(age)) % SECOND)).toBe(0);
        const [checkIntervalMin, checkIntervalMax] = [Math.min(one, other), Math.max(one, other)];
        const soon = checkIn(0, { ...DEFAULT_TIMINGS, checkIntervalMin, checkIntervalMax });
        expect(Number.isInteger(soon) && soon >= 0).toBe(true);
      }),
    );
  });
});

describe('the delay before a create call is sent again', () => {
  it.each([
    { earlier: 0, min: 1, max: 3 },
    { earlier: 1, min: 2, max: 6 },
    { earlier: 3, min: 8, max: 24 },
    { earlier: 6, min: 48, max: 72 },
    { earlier: 2000, min: 48, max: 72 },
  ])('after $earlier attempts is $min to $max s, in whole ms, and differs from task to task', (row) => {
    const { kinds, least, most } = draw(() => resendDelay(row.earlier, DEFAULT_TIMINGS));
    expect(least).toBeGreaterThanOrEqual(row.min * SECOND);
    expect(most).toBeLessThanOrEqual(row.max * SECOND);
    expect(kinds).toBeGreaterThan(300);
    expect(Number.isInteger(resendDelay(row.earlier, DEFAULT_TIMINGS))).toBe(true);
  });
});
