import { isIP } from 'node:net';
import { isOpen, type Config } from '../../config/config.ts';
import { DEFAULT_KIE_API_URL } from '../../config/variables.ts';
import { isLoopback, isOnLoopback } from '../../config/loopback.ts';
import { isPublicAddress } from '../../images/safe-fetch.ts';
import { findingsOf, type Finding } from './findings.ts';

const { ok, warning } = findingsOf('configuration');

/** What a configuration without mistakes still leaves to be desired. */
export function checkConfiguration(config: Config): readonly Finding[] {
  const warnings = [
    ...aboutCallbacks(config),
    ...aboutPublicUrl(config),
    ...aboutStrangers(config),
    ...aboutProxies(config),
  ];
  return warnings.length > 0 ? warnings : [ok('every variable is valid')];
}

function aboutProxies({ checkImages, httpProxy, httpsProxy }: Config): readonly Finding[] {
  if (!checkImages || (httpProxy ?? httpsProxy) === null) return [];
  return [
    warning(
      'CHECK_IMAGES is set beside a proxy: images are fetched directly, never through it',
      'Unset CHECK_IMAGES unless this machine also reaches the internet directly.',
    ),
  ];
}

function aboutCallbacks({ kieApiKey, kieWebhookHmacKeys, publicUrl }: Config): readonly Finding[] {
  if (kieApiKey === null) return [];
  if (publicUrl === null)
    return [
      warning(
        'KIE_API_KEY is set without PUBLIC_URL: the gateway polls kie.ai, and a task whose create answer is lost fails with SUBMISSION_UNKNOWN at once',
        'Set PUBLIC_URL to the origin under which kie.ai reaches this gateway (example: PUBLIC_URL=https://video.example.com).',
      ),
    ];
  if (kieWebhookHmacKeys.length > 0) return [];
  return [
    warning(
      'PUBLIC_URL is set without KIE_WEBHOOK_HMAC_KEYS: a callback is only a hint, after which the gateway polls kie.ai',
      'Make a webhookHmacKey at https://kie.ai/settings and set it.',
    ),
  ];
}

function aboutPublicUrl({ kieApiKey, kieApiUrl, publicUrl }: Config): readonly Finding[] {
  if (publicUrl === null || kieApiKey === null) return [];
  const url = new URL(publicUrl);
  if (isOnLoopback(url) || isPrivate(url)) {
    if (kieApiUrl !== DEFAULT_KIE_API_URL) return [];
    return [
      warning(
        `PUBLIC_URL=${publicUrl} is not a public address: kie.ai cannot reach it`,
        'Set it to a public URL, such as that of a tunnel, or unset it: the gateway polls kie.ai then.',
      ),
    ];
  }
  if (url.protocol === 'https:') return [];
  return [
    warning(
      `PUBLIC_URL=${publicUrl} is not encrypted: callbacks and their tokens can be read in transit`,
      'Put a proxy with a certificate in front, and set PUBLIC_URL to its https address.',
    ),
  ];
}

function isPrivate({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  return isIP(address) !== 0 && !isPublicAddress(address);
}

function aboutStrangers(config: Config): readonly Finding[] {
  const { host, maxSocketsPerAddress, publicUrl, trustedProxies } = config;
  const findings: Finding[] = [];
  const credits = config.kieApiKey === null ? '' : ' and spends your credits';
  const mend = 'Say who may call (API_KEYS=owner:key, JWT_JWKS_URL or JWT_SECRET)';
  if (isOpen(config) && !isLoopback(host))
    findings.push(
      warning(
        `HOST=${host} without authentication: anyone who reaches it can call the API${credits}`,
        `${mend}.`,
      ),
    );
  else if (isOpen(config) && publicUrl !== null && !isOnLoopback(new URL(publicUrl)))
    findings.push(
      warning(
        `PUBLIC_URL leads to a gateway without authentication: anyone on the Internet can call the API${credits}`,
        `${mend}, or let the proxy or tunnel pass /webhooks/ alone.`,
      ),
    );
  if (maxSocketsPerAddress !== null && publicUrl !== null && trustedProxies.length === 0)
    findings.push(
      warning(
        'MAX_SOCKETS_PER_ADDRESS is set without TRUSTED_PROXIES: behind a proxy all clients have its address',
        'If PUBLIC_URL leads through one, set TRUSTED_PROXIES to its address.',
      ),
    );
  return findings;
}
