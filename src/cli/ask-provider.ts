import type { Config } from '../config/config.ts';
import { createScrub } from '../log/scrub.ts';
import { errorCodeOf, parseEnvelope, parseJson, type Envelope } from '../providers/kie/wire.ts';
import { fetchThrough, proxyFor } from '../providers/proxy.ts';
import { USER_AGENT } from '../version.ts';
import { explainFailure, REQUEST_MS } from './doctor/findings.ts';

/** What the provider answers to a query. */
export type ProviderAnswer =
  | {
      readonly status: number;
      /** null for a page that is none of the provider's answers. */
      readonly envelope: Envelope | null;
      /** How far its clock is ahead of ours, in ms, within a second; null when it does not say. */
      readonly clockAheadMs: number | null;
    }
  | { readonly error: unknown };

/** Sends a GET request with the configured key; null when there is no key. Never rejects. */
export async function askProvider(config: Config, path: string): Promise<ProviderAnswer | null> {
  const { kieApiKey, kieApiUrl } = config;
  if (kieApiKey === null) return null;
  const ask = fetchThrough(proxyFor(kieApiUrl, config)) ?? fetch;
  try {
    const sentAt = Date.now();
    const answer = await ask(`${kieApiUrl}${path}`, {
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

/** The data of a successful answer, or what is wrong and how to fix it. */
export function dataOf(
  { kieApiKey, kieApiUrl }: Config,
  answer: ProviderAnswer,
): { readonly data: unknown } | { readonly message: string; readonly mend: string } {
  if ('error' in answer)
    return {
      message: `${kieApiUrl} cannot be reached: ${explainFailure(answer.error)}`,
      mend: 'Check KIE_API_URL, DNS, and that a firewall lets this machine out.',
    };
  const { envelope, status } = answer;
  if (envelope === null)
    return {
      message: `${kieApiUrl} answers with a page (HTTP ${status}) that is not from kie.ai`,
      mend: 'Check KIE_API_URL, and what stands between this machine and kie.ai.',
    };
  if (envelope.code === 200) return { data: envelope.data };
  const code = errorCodeOf(envelope.code);
  if (code === 'UNAUTHORIZED')
    return {
      message: 'kie.ai rejects the key in KIE_API_KEY',
      mend: 'Set the key from https://kie.ai/api-key.',
    };
  const said = createScrub([kieApiKey ?? ''])(envelope.message ?? 'nothing more').replace(/\.$/, '');
  return {
    message: `kie.ai answers with code ${envelope.code} (${code}): ${said}`,
    mend: 'docs/errors.md says what the code means.',
  };
}
