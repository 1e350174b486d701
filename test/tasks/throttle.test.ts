import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createThrottle } from '../../src/tasks/throttle.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const EVERY = 10_000;

function start() {
  const clock = createVirtualClock(0, () => false);
  const throttle = createThrottle(clock, EVERY);
  return { clock, throttle, mayPass: (key: string) => throttle.take(key) };
}

describe('a throttle', () => {
  it('says yes once, and again when its time is over', async () => {
    const { clock, mayPass } = start();
    expect([mayPass('a'), mayPass('a')]).toEqual([true, false]);
    await clock.runUntil(EVERY - 1);
    expect(mayPass('a')).toBe(false);
    await clock.runUntil(EVERY);
    expect([mayPass('a'), mayPass('a')]).toEqual([true, false]);
  });

  it('counts from the last yes: asking in between does not put the next one off', async () => {
    const { clock, mayPass } = start();
    mayPass('a');
    for (let now = 1000; now < EVERY; now += 1000) {
      await clock.runUntil(now);
      expect(mayPass('a')).toBe(false);
    }
    await clock.runUntil(EVERY);
    expect(mayPass('a')).toBe(true);
  });

  it('says yes again at once to a key whose last yes was given back', () => {
    const { mayPass, throttle } = start();
    mayPass('a');
    mayPass('b');
    throttle.giveBack('a');
    expect([mayPass('a'), mayPass('b')]).toEqual([true, false]);
  });

  it('treats each key by itself', () => {
    const { mayPass } = start();
    expect(['a', 'b', 'a', 'c', 'b'].map((key) => mayPass(key))).toEqual([true, true, false, true, false]);
  });

  it('still knows each of very many keys', async () => {
    const { clock, mayPass } = start();
    const keys = Array.from({ length: 5000 }, (_, n) => `key-${n}`);
    expect(keys.every(mayPass)).toBe(true);
    await clock.runUntil(EVERY - 1);
    expect(keys.some(mayPass)).toBe(false);
    await clock.runUntil(EVERY);
    expect(keys.every(mayPass)).toBe(true);
  });

  it('says yes at most once per key in any such time, whenever it is asked', async () => {
    const calls = fc.array(
      fc.record({ pause: fc.integer({ min: 0, max: EVERY }), key: fc.constantFrom('a', 'b') }),
    );
    await fc.assert(
      fc.asyncProperty(calls, async (asked) => {
        const { clock, mayPass } = start();
        const passed = new Map<string, number>();
        for (const { key, pause } of asked) {
          await clock.runUntil(clock.now() + pause);
          const last = passed.get(key) ?? -Infinity;
          expect(mayPass(key)).toBe(clock.now() - last >= EVERY);
          if (clock.now() - last >= EVERY) passed.set(key, clock.now());
        }
      }),
    );
  });
});
