import type { Clock } from '../../src/tasks/clock.ts';

/** A clock that stands still until the test moves it on. */
export interface StandingClock extends Clock {
  /** Lets so much time pass at once; timers that are due by then fire before it returns. */
  advance(ms: number): void;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export function createStandingClock(start = Date.now()): StandingClock {
  const timers = new Set<Timer>();
  let now = start;

  function fireDue(): void {
    for (const timer of [...timers].sort((one, other) => one.at - other.at))
      if (timer.at <= now && timers.delete(timer)) timer.run();
  }

  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      // What is due already waits for no advance.
      if (ms <= 0) setImmediate(fireDue);
      return () => {
        timers.delete(timer);
      };
    },
    advance(ms) {
      now += ms;
      fireDue();
    },
  };
}
