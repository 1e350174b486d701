import { vi } from 'vitest';
import { onTestEnd } from './leftovers.ts';

/** Stops the clock of the machine for this test; the returned function moves it on. Timers run as always. */
export function stopTheClock(): (ms: number) => void {
  let now = Date.now();
  vi.useFakeTimers({ toFake: ['Date'], now });
  onTestEnd(() => void vi.useRealTimers());
  return (ms) => {
    now += ms;
    vi.setSystemTime(now);
  };
}
