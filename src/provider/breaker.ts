import { ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import type { Log } from '../tasks/log.ts';

/** How many calls in a row must fail before the next ones are not even tried. */
const FAILURES = 5;

/**
 * Runs calls until several in a row have failed; then rejects at once, without calling, except for one call every
 * `retryMs` that finds out whether the other side is back.
 */
export type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

export function createBreaker(name: string, retryMs: number, log: Log): Breaker {
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: retryMs,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  policy.onBreak(() => {
    log.warn({ calls: name, retryMs }, 'the provider does not answer; calls are held back');
  });
  policy.onReset(() => {
    log.info({ calls: name }, 'the provider answers again');
  });
  return (call) => policy.execute(call);
}
