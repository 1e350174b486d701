import { ConsecutiveBreaker, circuitBreaker, handleAll, isBrokenCircuitError } from 'cockatiel';
import type { Log } from '../tasks/log.ts';

/** The calls that are held back together. */
export type HeldCalls = 'creates' | 'queries';

export interface BreakerOptions {
  readonly retryMs: number;
  readonly log: Log;
  readonly onChange?: ((calls: HeldCalls, isHeld: boolean) => void) | undefined;
}

/** How many calls in a row must fail before the next ones are not even tried. */
const FAILURES = 5;

/**
 * Runs calls until several in a row have failed; then rejects at once, without calling, except for one call every
 * `retryMs` that finds out whether the other side is back.
 */
export type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

/** Whether a call was not made because those before it had failed, by what its breaker rejected with. */
export function isHeldBack(error: unknown): boolean {
  return error instanceof Error && isBrokenCircuitError(error);
}

/** `onChange` is told whether calls are held back from now on. */
export function createBreaker(name: HeldCalls, { log, onChange, retryMs }: BreakerOptions): Breaker {
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: retryMs,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  policy.onBreak(() => {
    onChange?.(name, true);
    log.warn({ calls: name, retryMs }, 'the provider does not answer; calls are held back');
  });
  policy.onReset(() => {
    onChange?.(name, false);
    log.info({ calls: name }, 'the provider answers again');
  });
  return (call) => policy.execute(call);
}
