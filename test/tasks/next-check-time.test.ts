import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextCheckTime } from '../../src/tasks/schedule.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';

const THEN = 1_763_798_400_000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** The interval of a task of this age; drawn many times, since chance has a part in it. */
function draws(age: number): number[] {
  const task = { createdAt: THEN };
  return Array.from({ length: 500 }, () => nextCheckTime(task, THEN + age, DEFAULT_TIMINGS) - (THEN + age));
}

describe('the time until the next check', () => {
  it.each([
    ['5 s for a new task', 0, 5 * SECOND],
    ['5 s until it is 15 s old', 15 * SECOND, 5 * SECOND],
    ['a third of its age after that', MINUTE, 20 * SECOND],
    ['5 min for one of 15 min', 15 * MINUTE, 5 * MINUTE],
    ['5 min for one of a day', 24 * 60 * MINUTE, 5 * MINUTE],
    ['5 s when the clock was set back', -60 * MINUTE, 5 * SECOND],
  ])('is %s, ±20 % and half a second (at an age of %i ms)', (_, age, middle) => {
    const intervals = draws(age);
    expect(Math.min(...intervals)).toBeGreaterThanOrEqual(0.8 * middle - 0.5 * SECOND);
    expect(Math.max(...intervals)).toBeLessThanOrEqual(1.2 * middle + 0.5 * SECOND);
  });

  it('differs between tasks that were created together', () => {
    const intervals = draws(10 * MINUTE);
    expect(new Set(intervals).size).toBeGreaterThan(60);
    expect(Math.max(...intervals) - Math.min(...intervals)).toBeGreaterThan(0.3 * 200 * SECOND);
  });

  it('ends at a whole second, after 3.5 s to 6 min and half a second at any age', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (age) => {
        const at = nextCheckTime({ createdAt: THEN }, THEN + age, DEFAULT_TIMINGS);
        expect(Math.abs(at % SECOND)).toBe(0);
        expect(at - (THEN + age)).toBeGreaterThanOrEqual(3.5 * SECOND);
        expect(at - (THEN + age)).toBeLessThanOrEqual(6 * MINUTE + 0.5 * SECOND);
      }),
    );
  });

  it('is in whole ms and in the future, even with tiny intervals', () => {
    const bound = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(bound, bound, (one, other) => {
        const checkIntervalMin = Math.min(one, other);
        const checkIntervalMax = Math.max(one, other);
        const at = nextCheckTime({ createdAt: THEN }, THEN, { checkIntervalMin, checkIntervalMax });
        expect(Number.isInteger(at)).toBe(true);
        expect(at).toBeGreaterThanOrEqual(THEN);
      }),
    );
  });
});
