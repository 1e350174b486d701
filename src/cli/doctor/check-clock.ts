import type { ProviderAnswer } from './check-provider.ts';
import { findingsOf, type Finding } from './findings.ts';

const { failure, ok, skipped, warning } = findingsOf('clock');

const GOOD_S = 30;
/** A signature counts for so long, before and after. */
const TOLERATED_S = 300;

/** Our clock against the provider's, which dates the signatures of callbacks. */
export function checkClock(answer: ProviderAnswer | null): Finding {
  if (answer === null) return skipped('the sandbox uses the clock of this machine');
  if (answer.kind === 'silent' || answer.clockAheadMs === null)
    return skipped('the provider sent no time to compare with');
  const seconds = Math.round(Math.abs(answer.clockAheadMs) / 1000);
  const apart = `our clock is ${seconds} s ${answer.clockAheadMs > 0 ? 'behind' : 'ahead of'} the provider's`;
  if (seconds < GOOD_S) return ok(apart);
  const mend = `Let this machine keep time by NTP: a signature counts for ${TOLERATED_S} s.`;
  return seconds < TOLERATED_S
    ? warning(apart, mend)
    : failure(`${apart}: every signed callback is refused as stale`, mend);
}
