import type { Timings } from './timings.ts';

/** How long to wait before a create call is tried again, in whole ms: doubling, with jitter so that tasks spread out. */
export function resendDelay(earlierAttempts: number, timings: Timings): number {
  const { resendFirstMin, resendFirstMax, resendMax } = timings;
  const first = resendFirstMin + Math.random() * (resendFirstMax - resendFirstMin);
  const doubled = first * 2 ** Math.min(earlierAttempts, 20);
  return Math.round(Math.min(doubled, resendMax * (0.8 + 0.4 * Math.random())));
}
