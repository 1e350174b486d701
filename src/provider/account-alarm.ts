import type { Log } from '../tasks/log.ts';
import { errorCodeOf } from './error-code.ts';

/** What only the operator can mend, and what stops every task until then. */
export type AccountError = 'UNAUTHORIZED' | 'INSUFFICIENT_CREDITS' | 'QUOTA_EXCEEDED';

const WHAT_TO_DO: Readonly<Record<AccountError, string>> = {
  UNAUTHORIZED: 'the provider refuses KIE_API_KEY; compare it with https://kie.ai/api-key',
  INSUFFICIENT_CREDITS: 'the account has too few credits for a video; buy more at https://kie.ai/billing',
  QUOTA_EXCEEDED: 'the spending limit of KIE_API_KEY is reached; raise it at https://kie.ai/api-key',
};

/** kie.ai's price list: one video of hailuo/02-image-to-video-pro. */
const CREDITS_PER_VIDEO = 57;
/** Each refusal is counted; one warning a minute and code is enough to find it. */
const QUIET_MS = 60_000;

export interface AccountAlarm {
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
