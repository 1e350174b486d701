import type { Config } from '../../config/config.ts';
import { DEFAULT_MODEL, listPrice } from '../../models/index.ts';
import { creditsOf } from '../../providers/kie/wire.ts';
import { dataOf, type ProviderAnswer } from '../ask-provider.ts';
import { findingsOf, type Finding } from './findings.ts';

/** Fewer videos than this are left: time to buy. */
const FEW_VIDEOS = 10;

/** Whether kie.ai can be reached, accepts the key, and has credits left. `answer` is about the balance. */
export function checkProvider(config: Config, answer: ProviderAnswer | null): Finding {
  const { failure, ok, skipped, warning } = findingsOf('provider');
  if (answer === null)
    return skipped('KIE_API_KEY is not set: the sandbox stands in for kie.ai, and nothing is charged');
  const told = dataOf(config, answer);
  if ('mend' in told) return failure(told.message, told.mend);
  const credits = creditsOf(told.data);
  if (credits === null)
    return warning(
      'kie.ai accepts the key and does not say how many credits are left',
      'Look at https://kie.ai/billing.',
    );
  const price = listPrice(DEFAULT_MODEL) ?? 1;
  const videos = Math.floor(credits / price);
  const left = `kie.ai accepts the key; ${credits} credits are left, enough for ${videos === 1 ? '1 video' : `${videos} videos`} of ${price} credits`;
  return videos < FEW_VIDEOS ? warning(left, 'Buy more at https://kie.ai/billing.') : ok(left);
}

const GOOD_S = 30;
/** A signature is valid for so long, before and after. */
const TOLERATED_S = 300;

/** Our clock against the provider's, which dates the signatures of callbacks. */
export function checkClock(answer: ProviderAnswer | null): Finding {
  const { failure, ok, skipped, warning } = findingsOf('clock');
  if (answer === null) return skipped('the sandbox uses the clock of this machine');
  if ('error' in answer || answer.clockAheadMs === null)
    return skipped('the provider sent no time to compare with');
  const seconds = Math.round(Math.abs(answer.clockAheadMs) / 1000);
  const apart = `our clock is ${seconds} s ${answer.clockAheadMs > 0 ? 'behind' : 'ahead of'} the provider's`;
  if (seconds < GOOD_S) return ok(apart);
  const mend = `Let this machine keep time by NTP: a signature is valid for ${TOLERATED_S} s.`;
  return seconds < TOLERATED_S
    ? warning(apart, mend)
    : failure(`${apart}: every signed callback is refused as stale`, mend);
}
