import { USER_AGENT } from '../../app/user-agent.ts';
import type { Config } from '../../config/config.ts';
import { parseEnvelope, parseJson, type Envelope } from '../../providers/kie/wire.ts';
import { fetchThrough, proxyFor } from '../../providers/proxy.ts';
import { REQUEST_MS } from './in-time.ts';

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
