import { ConsecutiveBreaker, circuitBreaker, handleAll, isBrokenCircuitError } from 'cockatiel';
import { DEFAULT_MODEL, listPrice } from '../models/index.ts';
import type { Log } from '../tasks/log.ts';
import { errorCodeOf } from './kie/wire.ts';

/** Calls that share a circuit breaker. */
export type HeldCalls = 'creates' | 'queries';

interface BreakerOptions {
  readonly retryMs: number;
  readonly log: Log;
  readonly onChange?: ((calls: HeldCalls, isHeld: boolean) => void) | undefined;
}

/** Consecutive failures that open the breaker. */
const FAILURES = 5;

/** Circuit breaker: after `FAILURES` failed calls it rejects at once, and allows one trial call every `retryMs`. */
type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

/** Whether the error of a breaker means that the call was not made. */
export function isHeldBack(error: unknown): boolean {
  return error instanceof Error && isBrokenCircuitError(error);
}

export function createBreaker(name: HeldCalls, { log, onChange, retryMs }: BreakerOptions): Breaker {
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: retryMs,
    breaker: new ConsecutiveBreaker(FAILURES),
  });
  policy.onBreak(() => {
    onChange?.(name, true);
    log.warn({ calls: name, retryMs }, 'the provider does not respond; holding calls back');
  });
  policy.onReset(() => {
    onChange?.(name, false);
    log.info({ calls: name }, 'the provider responds again');
  });
  return (call) => policy.execute(call);
}

/** Account problems: every task fails until the operator fixes them. */
export type AccountError = 'UNAUTHORIZED' | 'INSUFFICIENT_CREDITS' | 'QUOTA_EXCEEDED';

const WHAT_TO_DO: Readonly<Record<AccountError, string>> = {
  UNAUTHORIZED: 'the provider rejects KIE_API_KEY; check it at https://kie.ai/api-key',
  INSUFFICIENT_CREDITS: 'the account has too few credits for a video; buy credits at https://kie.ai/billing',
  QUOTA_EXCEEDED: 'the spending limit of KIE_API_KEY is reached; raise it at https://kie.ai/api-key',
};

/** Interval of warnings per code. The metric counts every refusal. */
const WARN_EVERY_MS = 60_000;

interface AccountAlarm {
  /** Receives the code of each response, and warns of account problems. */
  code(code: number): void;
  /** Receives each balance, and warns if it is lower than the price of a video of the default model. */
  balance(credits: number): void;
}

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
    if (now - (warnedAt.get(code) ?? -Infinity) < WARN_EVERY_MS) return;
    warnedAt.set(code, now);
    log.warn({ code, ...details }, WHAT_TO_DO[code]);
  }

  return {
    code(code) {
      const error = errorCodeOf(code);
      if (!isAccountError(error)) return;
      onRefusal?.(error);
      warn(error, { providerCode: code });
    },
    balance(credits) {
      if (credits < (listPrice(DEFAULT_MODEL) ?? 0)) warn('INSUFFICIENT_CREDITS', { credits });
    },
  };
}

function isAccountError(code: string): code is AccountError {
  return code in WHAT_TO_DO;
}
