import type { Clock } from './clock.ts';

/** How many keys are remembered before those whose time is over are forgotten. */
const MANY = 1000;

export interface Throttle {
  /** Says yes at most once per key in `everyMs`. */
  take(key: string): boolean;
  /** Takes the last yes back: what it was for did not come about. */
  giveBack(key: string): void;
}

export function createThrottle(clock: Clock, everyMs: number): Throttle {
  const last = new Map<string, number>();

  function forgetOld(now: number): void {
    for (const [key, at] of last) if (now - at >= everyMs) last.delete(key);
  }

  return {
    take(key) {
      const now = clock.now();
      if (now - (last.get(key) ?? -Infinity) < everyMs) return false;
      if (last.size >= MANY) forgetOld(now);
      last.set(key, now);
      return true;
    },
    giveBack: (key) => {
      last.delete(key);
    },
  };
}
