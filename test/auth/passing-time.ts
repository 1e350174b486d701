import { onTestEnd } from '../kit/waits.ts';
import { systemClock, type Clock } from '../../src/tasks/clock.ts';

/** The machine's clock with hands that a test can put forward; what waits for a timer waits as long as ever. */
export function createMovableClock(): Clock & { forward(ms: number): void } {
  let ahead = 0;
  const now = (): number => systemClock.now() + ahead;
  return {
    ...systemClock,
    now,
    machine: now,
    forward(ms) {
      ahead += ms;
    },
  };
}

/** Puts forward the clock of this whole process, libraries included, until the test ends. */
export function passTime(ms: number): void {
  const { now } = Date;
  Date.now = () => now() + ms;
  onTestEnd(() => {
    Date.now = now;
  });
}
