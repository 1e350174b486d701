import { ConsecutiveBreaker, circuitBreaker, handleAll, isBrokenCircuitError } from 'cockatiel';
import type { Log } from '../tasks/log.ts';
import { errorCodeOf } from './kie/wire.ts';

/** The calls that are held back together. */
export type HeldCalls = 'creates' | 'queries';

interface BreakerOptions {
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
type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

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

/** What only the operator can mend, and what stops every task until then. */
export type AccountError = 'UNAUTHORIZED' | 'INSUFFICIENT_CREDITS' | 'QUOTA_EXCEEDED';

const WHAT_TO_DO: Readonly<Record<AccountError, string>> = {
  UNAUTHORIZED: 'the provider refuses KIE_API_KEY; compare it with https://kie.ai/api-key',
  INSUFFICIENT_CREDITS: 'the account has too few credits for a video; buy more at https://kie.ai/billing',
  QUOTA_EXCEEDED: 'the spending limit of KIE_API_KEY is reached; raise it at https://kie.ai/api-key',
};

/** kie.ai's price list: one video of hailuo/02-image-to-video-pro. */
export const CREDITS_PER_VIDEO = 57;
/** Each refusal is counted; one warning a minute and code is enough to find it. */
const QUIET_MS = 60_000;

interface AccountAlarm {
  /** Told the code of each envelope; warns when it is about the account. */
  heard(code: number): void;
  /** Told each balance; warns when it does not pay a video. */
  balance(credits: number): void;
}

/** `onRefusal` is told each time that the provider refuses a call because of the account. */
export function createAccountAlarm({
  log,
  onRefusal,
}: {
  readonly log: Log;
  readonly onRefusal?: ((code: AccountError) => void) | undefined;
}): AccountAlarm {
  const warnedAt = new Map<AccountError, number>();

  function warn(code: AccountError, details: object): void {
    const now = performance.now();
    if (now - (warnedAt.get(code) ?? -Infinity) < QUIET_MS) return;
    warnedAt.set(code, now);
    log.warn({ code, ...details }, WHAT_TO_DO[code]);
  }

  return {
    heard(code) {
      const error = errorCodeOf(code);
      if (!isAccountError(error)) return;
      onRefusal?.(error);
      warn(error, { providerCode: code });
    },
    balance(credits) {
      if (credits < CREDITS_PER_VIDEO) warn('INSUFFICIENT_CREDITS', { credits });
    },
  };
}

function isAccountError(code: string): code is AccountError {
  return code in WHAT_TO_DO;
}
