import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createThrottle } from '../../src/tasks/worker.ts';
import { createVirtualClock } from '../kit/clock.ts';

const EVERY = 10_000;

function start() {
  const clock = createVirtualClock(0, () => false);
  const throttle = createThrottle(clock, EVERY);
  return { clock, throttle, reserve: (key: string) => throttle.reserve(key) };
}

describe('a throttle', () => {
  it('allows the first event at once, and delays all early ones to the same time', async () => {
    const { clock, reserve } = start();
    expect([reserve('a'), reserve('a'), reserve('a')]).toEqual([0, EVERY, EVERY]);
    await clock.runUntil(EVERY - 1);
    expect(reserve('a')).toBe(1);
  });

  it('allows an event at once after a pause', async () => {
    const { clock, reserve } = start();
    reserve('a');
    await clock.runUntil(EVERY);
    expect(reserve('a')).toBe(0);
  });

  it('allows an event at once after its reservation was cancelled', () => {
    const { reserve, throttle } = start();
    reserve('a');
    reserve('b');
    throttle.giveBack('a');
    expect([reserve('a'), reserve('b')]).toEqual([0, EVERY]);
  });

  it('treats each key separately', () => {
    const { reserve } = start();
    expect(['a', 'b', 'a', 'c', 'b'].map(reserve)).toEqual([0, 0, EVERY, 0, EVERY]);
  });

  it('keeps very many keys apart', async () => {
    const { clock, reserve } = start();
    const keys = Array.from({ length: 5000 }, (_, n) => `key-${n}`);
    expect(keys.every((key) => reserve(key) === 0)).toBe(true);
    await clock.runUntil(EVERY - 1);
    expect(keys.every((key) => reserve(key) === 1)).toBe(true);
  });

  it('never delays longer than the interval, and never allows two events within it', async () => {
    const calls = fc.array(
      fc.record({ pause: fc.integer({ min: 0, max: EVERY }), key: fc.constantFrom('a', 'b') }),
    );
    await fc.assert(
      fc.asyncProperty(calls, async (asked) => {
        const { clock, reserve } = start();
        const times = new Map([
          ['a', new Set<number>()],
          ['b', new Set<number>()],
        ]);
        for (const { key, pause } of asked) {
          await clock.runUntil(clock.now() + pause);
          const wait = reserve(key);
          expect(wait).toBeLessThanOrEqual(EVERY);
          times.get(key)?.add(clock.now() + wait);
        }
        for (const [first = 0, ...others] of times.values())
          others.reduce((before, at) => {
            expect(at - before).toBeGreaterThanOrEqual(EVERY);
            return at;
          }, first);
      }),
    );
  });
});
