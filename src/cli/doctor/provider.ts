import type { Config } from '../../config/config.ts';
import { CREDITS_PER_VIDEO } from '../../providers/breaker.ts';
import { errorCodeOf, creditsOf, parseEnvelope, parseJson, type Envelope } from '../../providers/kie/wire.ts';
import { fetchThrough, proxyFor } from '../../providers/proxy.ts';
import { createScrub } from '../../log/scrub.ts';
import { USER_AGENT } from '../../version.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';

/** What the provider answers when it is asked for the balance. */
type ProviderAnswer =
  | {
      readonly status: number;
      /** null for a page that is none of the provider's answers. */
      readonly envelope: Envelope | null;
      /** How far its clock is ahead of ours, in ms, within a second; null when it does not say. */
      readonly clockAheadMs: number | null;
    }
  | { readonly error: unknown };

/** Asks for the balance with the configured key; null when there is no key. Never rejects. */
export async function askProvider(config: Config): Promise<ProviderAnswer | null> {
  const { kieApiKey, kieApiUrl } = config;
  if (kieApiKey === null) return null;
  const ask = fetchThrough(proxyFor(kieApiUrl, config)) ?? fetch;
  try {
    const sentAt = Date.now();
    const answer = await ask(`${kieApiUrl}/api/v1/chat/credit`, {
      headers: { authorization: `Bearer ${kieApiKey}`, 'user-agent': USER_AGENT },
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const now = (sentAt + Date.now()) / 2;
    // The header holds whole seconds, rounded down.
    const date = Date.parse(answer.headers.get('date') ?? '') + 500;
    const envelope = parseEnvelope(parseJson(await answer.text()));
    return { status: answer.status, envelope, clockAheadMs: Number.isNaN(date) ? null : date - now };
  } catch (error) {
    return { error };
  }
}

/** Fewer videos than this are left: time to buy. */
const FEW_VIDEOS = 10;

/** Whether kie.ai can be reached, accepts the key, and has credits left. */
export function checkProvider({ kieApiKey, kieApiUrl }: Config, answer: ProviderAnswer | null): Finding {
  const { failure, ok, skipped, warning } = findingsOf('provider');
  if (answer === null || kieApiKey === null)
    return skipped('KIE_API_KEY is not set: the sandbox stands in for kie.ai, and nothing is charged');
  if ('error' in answer)
    return failure(
      `${kieApiUrl} cannot be reached: ${explainFailure(answer.error)}`,
      'Check KIE_API_URL, DNS, and that a firewall lets this machine out.',
    );
  const { envelope, status } = answer;
  if (envelope === null)
    return failure(
      `${kieApiUrl} answers with a page (HTTP ${status}) that is not from kie.ai`,
      'Check KIE_API_URL, and what stands between this machine and kie.ai.',
    );
  const code = envelope.code === 200 ? null : errorCodeOf(envelope.code);
  if (code === 'UNAUTHORIZED')
    return failure('kie.ai rejects the key in KIE_API_KEY', 'Set the key from https://kie.ai/api-key.');
  if (code !== null) {
    const said = createScrub([kieApiKey])(envelope.message ?? 'nothing more');
    return failure(
      `kie.ai answers with code ${envelope.code} (${code}): ${said}`,
      'docs/errors.md says what the code means.',
    );
  }
  const credits = creditsOf(envelope.data);
  if (credits === null)
    return warning(
      'kie.ai accepts the key and does not say how many credits are left',
      'Look at https://kie.ai/billing.',
    );
  const videos = Math.floor(credits / CREDITS_PER_VIDEO);
  const left = `kie.ai accepts the key; ${credits} credits are left, enough for ${videos === 1 ? '1 video' : `${videos} videos`} of ${CREDITS_PER_VIDEO} credits`;
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
