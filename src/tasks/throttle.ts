import type { Clock } from './clock.ts';

/** How many keys are remembered at least before those whose time is over are forgotten. */
const MANY = 1000;

/** Has something happen at most once per key in a while; what comes too early is put off, not dropped. */
export interface Throttle {
  /** How long to wait, in ms, until it may happen for this key. Calls until then share that one time. */
  reserve(key: string): number;
  /** Takes the last reservation back: what it was for did not come about. */
  giveBack(key: string): void;
}

export function createThrottle(clock: Clock, everyMs: number): Throttle {
  /** When it happened last, or will happen. */
  const last = new Map<string, number>();
  const now = clock.elapsed ?? clock.now;
  let forgetAt = MANY;

  function forgetOld(): void {
    for (const [key, at] of last) if (now() - at >= everyMs) last.delete(key);
    // Twice as many as are in use: so the search costs little per key, however many there are.
    forgetAt = Math.max(MANY, 2 * last.size);
  }

  return {
    reserve(key) {
      const before = last.get(key) ?? -Infinity;
      const at = before > now() ? before : Math.max(now(), before + everyMs);
      if (last.size >= forgetAt) forgetOld();
      last.set(key, at);
      return at - now();
    },
    giveBack: (key) => {
      last.delete(key);
    },
  };
}
