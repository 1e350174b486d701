import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.ts';
import { DEFAULT_KIE_API_URL } from '../config/variables.ts';
import { createProviderMetrics, watchCredits } from '../metrics/provider-metrics.ts';
import { createKie } from '../providers/kie/client.ts';
import { proxyFor } from '../providers/proxy.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import type { Provider, ProviderLimits } from '../tasks/provider.ts';
import { USER_AGENT } from '../version.ts';
import type { Cleanup } from './shutdown.ts';

const QUERY_TIMEOUT_MS = 10_000;
const KIE_UPLOAD_URL = 'https://kieai.redpandaai.co';

/** kie.ai's API, or the sandbox that replaces it. */
export interface Upstream {
  readonly kind: 'kie.ai' | 'sandbox';
  readonly url: string;
  /** Origin of the upload service. */
  readonly uploadUrl: string;
  readonly apiKey: string;
  /** Proxy for each of the two; null for none. */
  readonly proxy: { readonly api: string | null; readonly upload: string | null };
  /** Keys that sign callbacks. */
  readonly hmacKeys: readonly string[];
  /** Where the sandbox stores uploads; null for kie.ai. */
  readonly uploadsDir: string | null;
}

/** The provider behind `upstream`, with metrics for every call. */
export function openProvider(
  { apiKey, hmacKeys, proxy, uploadUrl, url }: Upstream,
  options: {
    readonly createTimeoutMs: number;
    readonly limits: ProviderLimits;
    readonly log: Logger;
    readonly registry: Registry;
  },
): Provider {
  const { registry, ...rest } = options;
  const calls = createProviderMetrics(registry);
  const kie = createKie({
    ...rest,
    apiUrl: url,
    apiKey,
    proxy: proxy.api,
    uploads: { url: uploadUrl, proxy: proxy.upload },
    hmacKeys,
    userAgent: USER_AGENT,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    onHeldBack: calls.heldBack,
    onAccountRefusal: calls.accountRefusal,
  });
  return watchCredits(registry, calls.watch(kie));
}

/** Starts the sandbox if there is no KIE_API_KEY. The rest of the gateway does not know the difference. */
export async function openUpstream(
  config: Config,
  options: {
    readonly log: Logger;
    readonly cleanup: Cleanup;
    /** Base URL of the sandbox's result files. Called at each use. */
    readonly filesUrl: () => string;
    readonly sandbox: Partial<SandboxOptions>;
  },
): Promise<Upstream> {
  const { kieApiKey, kieApiUrl, kieWebhookHmacKeys } = config;
  if (kieApiKey !== null) {
    const uploadUrl = uploadUrlOf(config);
    return {
      kind: 'kie.ai',
      url: kieApiUrl,
      uploadUrl,
      proxy: { api: proxyFor(kieApiUrl, config), upload: proxyFor(uploadUrl, config) },
      apiKey: kieApiKey,
      hmacKeys: kieWebhookHmacKeys,
      uploadsDir: null,
    };
  }

  const { cleanup, filesUrl, log } = options;
  const [hmacKey = randomBytes(32).toString('base64')] = kieWebhookHmacKeys;
  const apiKey = randomBytes(16).toString('hex');
  const { startSandbox } = await import('../sandbox/sandbox.ts');
  const sandbox = await startSandbox({
    apiKey,
    hmacKey,
    filesUrl,
    uploadsDir: join(config.dataDir, 'sandbox-uploads'),
    log: (message, details) => {
      log.info({ ...details, from: 'sandbox' }, message);
    },
    ...options.sandbox,
  });
  cleanup.add(() => sandbox.close());
  const { uploadsDir, url } = sandbox;
  const proxy = { api: null, upload: null };
  return { kind: 'sandbox', url, uploadUrl: url, proxy, apiKey, hmacKeys: [hmacKey], uploadsDir };
}

/** A custom KIE_API_URL also serves uploads, so that no image goes to the real kie.ai by surprise. */
function uploadUrlOf({ kieApiUrl, kieUploadUrl }: Config): string {
  return kieUploadUrl ?? (kieApiUrl === DEFAULT_KIE_API_URL ? KIE_UPLOAD_URL : kieApiUrl);
}
