import type { Config } from '../../config/config.ts';
import { errorCodeOf, creditsOf, parseEnvelope, parseJson, type Envelope } from '../../providers/kie/wire.ts';
import { CREDITS_PER_VIDEO } from '../../sandbox/task-id.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';
import { USER_AGENT } from '../../version.ts';
import { fetchThrough, proxyFor } from '../../providers/proxy.ts';

const { failure, ok, skipped, warning } = findingsOf('provider');

/** Fewer videos than this are left: time to buy. */
const FEW_VIDEOS = 10;

/** Whether kie.ai can be reached, takes the key, and has credits left. */
export function checkProvider({ kieApiKey, kieApiUrl }: Config, answer: ProviderAnswer | null): Finding {
  if (answer === null || kieApiKey === null)
    return skipped('KIE_API_KEY is not set: the sandbox stands in for kie.ai, and nothing is charged');
  if (answer.kind === 'silent')
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
  if (envelope.code === 200) return aboutCredits(creditsOf(envelope.data));
  if (errorCodeOf(envelope.code) === 'UNAUTHORIZED')
    return failure(
      'kie.ai rejects the key in KIE_API_KEY',
      'Look at https://kie.ai/api-key, and set that one.',
    );
  const said = (envelope.message ?? 'nothing more').replaceAll(kieApiKey, '[redacted]');
  return failure(
    `kie.ai answers with code ${envelope.code} (${errorCodeOf(envelope.code)}): ${said}`,
    'docs/errors.md says what the code means.',
  );
}

function aboutCredits(credits: number | null): Finding {
  if (credits === null)
    return warning(
      'kie.ai accepts the key and does not say how many credits are left',
      'Look at https://kie.ai/billing.',
    );
  const videos = Math.floor(credits / CREDITS_PER_VIDEO);
  const left = `kie.ai accepts the key; ${credits} credits are left, enough for ${videos === 1 ? '1 video' : `${videos} videos`} of ${CREDITS_PER_VIDEO} credits`;
  return videos < FEW_VIDEOS ? warning(left, 'Buy more at https://kie.ai/billing.') : ok(left);
}

/** What the provider answers when it is asked for the balance; an error when no answer came. */
export type ProviderAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** null for a page that is none of the provider's answers. */
      readonly envelope: Envelope | null;
      /** How much its clock is ahead of ours, in ms, within a second; null when it does not say. */
      readonly clockAheadMs: number | null;
    }
  | { readonly kind: 'silent'; readonly error: unknown };

/** Asks with the configured key; null when there is none. Never rejects. */
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
    const envelope = parseEnvelope(parseJson(await answer.text()));
    return { kind: 'answered', status: answer.status, envelope, clockAheadMs: aheadOf(now, answer.headers) };
  } catch (error) {
    return { kind: 'silent', error };
  }
}

/** The header says whole seconds, cut off. */
function aheadOf(now: number, headers: Headers): number | null {
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(date) ? null : date + 500 - now;
}
