import type { Logger } from 'pino';
import { watchCredits, createProviderMetrics } from '../metrics/provider-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createKie } from '../providers/kie/client.ts';
import type { Provider } from '../tasks/provider.ts';
import type { Upstream } from './upstream.ts';
import { USER_AGENT } from './user-agent.ts';

const QUERY_TIMEOUT_MS = 10_000;

/** The provider behind `upstream`, with every call measured. */
export function openProvider(
  { apiKey, proxy, url }: Upstream,
  {
    createTimeoutMs,
    log,
    metrics: { registry },
  }: { readonly createTimeoutMs: number; readonly log: Logger; readonly metrics: Metrics },
): Provider {
  const calls = createProviderMetrics(registry);
  const kie = createKie({
    apiUrl: url,
    apiKey,
    proxy: proxy.api,
    userAgent: USER_AGENT,
    createTimeoutMs,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    log,
    onHeldBack: calls.heldBack,
    onAccountRefusal: calls.accountRefusal,
  });
  return watchCredits(registry, calls.watch(kie));
}
