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
