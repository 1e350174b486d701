import type { Logger } from 'pino';
import { watchCredits, createProviderMetrics } from '../metrics/provider-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { createKie } from '../providers/kie/client.ts';
import type { Provider } from '../tasks/provider.ts';
import { USER_AGENT } from '../version.ts';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Cleanup } from './shutdown.ts';
import type { Config } from '../config/config.ts';
import { DEFAULT_KIE_API_URL } from '../config/variables.ts';
import { proxyFor } from '../providers/proxy.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';

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

/** Whom the gateway talks to: kie.ai, or the sandbox that was started in its place. */
export interface Upstream {
  readonly kind: 'kie.ai' | 'sandbox';
  readonly url: string;
  /** Origin of the service that pictures are uploaded to. */
  readonly uploadUrl: string;
  readonly apiKey: string;
  /** Through which each of them is called; null for none, as for the sandbox. */
  readonly proxy: { readonly api: string | null; readonly upload: string | null };
  /** The keys that sign its callbacks. */
  readonly hmacKeys: readonly string[];
  /** Where the sandbox keeps what was uploaded to it; null for kie.ai. */
  readonly uploadsDir: string | null;
}

const KIE_UPLOAD_URL = 'https://kieai.redpandaai.co';

/** Without a key the sandbox stands in; the gateway itself is not told of the difference. */
export async function openUpstream(
  config: Config,
  options: {
    readonly log: Logger;
    readonly cleanup: Cleanup;
    /** The base address of the sandbox's result files, asked at each use. */
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
    stateFile: join(config.dataDir, 'sandbox.json'),
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

/** A stand-in for the API is believed to be one for the uploads too: a picture must not go where nobody expects it. */
function uploadUrlOf({ kieApiUrl, kieUploadUrl }: Config): string {
  return kieUploadUrl ?? (kieApiUrl === DEFAULT_KIE_API_URL ? KIE_UPLOAD_URL : kieApiUrl);
}
