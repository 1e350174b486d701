import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/tasks/clock.ts';
import { vi } from 'vitest';
import { onTestEnd } from './waits.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until it is told to run, and then jumps from timer to timer. */
interface VirtualClock extends Clock {
  /** Fires every timer up to `until`, in order, letting all work that each one begins come to rest before the next. */
  runUntil(until: number): Promise<void>;
  /** A promise for virtual time to pass. */
  sleep(ms: number): Promise<void>;
}

/** `work` is fulfilled when real work (a store, a socket) has ended that time must wait for; null while there is none. */
export function createVirtualClock(start: number, work: () => Promise<void> | null): VirtualClock {
  const timers: Timer[] = [];
  let now = start;
  let order = 0;

  function after(ms: number, run: () => void): () => void {
    const timer = { at: now + Math.max(0, ms), order: (order += 1), run };
    timers.splice(placeOf(timer), 0, timer);
    return () => {
      const index = timers.indexOf(timer, Math.max(0, placeOf(timer) - 1));
      if (index >= 0) timers.splice(index, 1);
    };
  }

  /** The timers are sorted: a binary search finds where this one belongs. */
  function placeOf(timer: Timer): number {
    let low = 0;
    let high = timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = timers[middle];
      if (other && (other.at < timer.at || (other.at === timer.at && other.order < timer.order)))
        low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** At rest: nothing is under way, and nothing begins in two turns of the event loop. */
  async function rest(): Promise<void> {
    for (let quiet = 0; quiet < 2; quiet += 1) {
      await setImmediate();
      const busy = work();
      if (busy) quiet = -1;
      await busy;
    }
  }

  return {
    now: () => now,
    after,
    sleep: (ms) =>
      new Promise((resolve) => {
        after(ms, resolve);
      }),
    async runUntil(until) {
      await rest();
      for (let next = timers[0]; next && next.at <= until; next = timers[0]) {
        timers.shift();
        now = next.at;
        next.run();
        await rest();
      }
      now = until;
    },
  };
}

/** Stops both clocks of the machine for this test; the returned function moves them on. Timers run as always. */
export function stopTheClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
  onTestEnd(() => void vi.useRealTimers());
  return (ms) => {
    vi.advanceTimersByTime(ms);
  };
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
