import type { Clock } from './clock.ts';

/** How many keys are remembered before those whose time is over are forgotten. */
const MANY = 1000;

/** Says yes at most once per key in `everyMs`. */
export function createThrottle(clock: Clock, everyMs: number): (key: string) => boolean {
  const last = new Map<string, number>();

  function forgetOld(now: number): void {
    for (const [key, at] of last) if (now - at >= everyMs) last.delete(key);
  }

  return (key) => {
    const now = clock.now();
    if (now - (last.get(key) ?? -Infinity) < everyMs) return false;
    if (last.size >= MANY) forgetOld(now);
    last.set(key, now);
    return true;
  };
}
