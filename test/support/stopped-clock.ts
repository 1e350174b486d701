import { vi } from 'vitest';
import { onTestEnd } from './leftovers.ts';

/** Stops both clocks of the machine for this test; the returned function moves them on. Timers run as always. */
export function stopTheClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
  onTestEnd(() => void vi.useRealTimers());
  return (ms) => {
    vi.advanceTimersByTime(ms);
  };
}
