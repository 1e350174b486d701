import { access, constants, stat, statfs } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isOpen, type Config } from '../../config/config.ts';
import { DEFAULT_KIE_API_URL } from '../../config/variables.ts';
import { isLoopback, isOnLoopback } from '../../config/loopback.ts';
import { isPublicAddress } from '../../images/safe-fetch.ts';
import { fieldsOf, parseJson } from '../../providers/kie/wire.ts';
import { USER_AGENT } from '../../version.ts';
import { describeAccess } from '../banner.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';

const settings = findingsOf('configuration');

/** Warnings about a valid configuration. */
export function checkConfiguration(config: Config): readonly Finding[] {
  const warnings = [...aboutCallbacks(config), ...aboutStrangers(config), ...aboutProxies(config)];
  return warnings.length > 0 ? warnings : [settings.ok('every variable is valid')];
}

/** kie.ai makes keys far longer than this. */
const SHORT_HMAC_KEY = 16;

function* aboutCallbacks({
  kieApiKey,
  kieApiUrl,
  kieWebhookHmacKeys,
  publicUrl,
}: Config): Generator<Finding> {
  if (kieApiKey === null) return;
  if (publicUrl === null) {
    yield settings.warning(
      'KIE_API_KEY is set without PUBLIC_URL: the gateway polls kie.ai, and a task whose create answer is lost fails with SUBMISSION_UNKNOWN at once',
      'Set PUBLIC_URL to the origin under which kie.ai reaches this gateway (example: PUBLIC_URL=https://video.example.com).',
    );
    return;
  }
  if (kieWebhookHmacKeys.length === 0)
    yield settings.warning(
      'PUBLIC_URL is set without KIE_WEBHOOK_HMAC_KEYS: a callback is only a hint, after which the gateway polls kie.ai',
      'Make a webhookHmacKey at https://kie.ai/settings and set it.',
    );
  if (kieWebhookHmacKeys.some((key) => key.length < SHORT_HMAC_KEY))
    yield settings.warning(
      `a key in KIE_WEBHOOK_HMAC_KEYS is shorter than ${SHORT_HMAC_KEY} characters`,
      'Copy the whole webhookHmacKey from https://kie.ai/settings.',
    );
  const url = new URL(publicUrl);
  if (!isOnLoopback(url) && !isPrivate(url)) {
    if (url.protocol === 'http:')
      yield settings.warning(
        `PUBLIC_URL=${publicUrl} is not encrypted: callbacks and their tokens can be read in transit`,
        'Put a proxy with a certificate in front, and set PUBLIC_URL to its https address.',
      );
  } else if (kieApiUrl === DEFAULT_KIE_API_URL)
    yield settings.warning(
      `PUBLIC_URL=${publicUrl} is not a public address: kie.ai cannot reach it`,
      'Set it to a public URL, such as that of a tunnel, or unset it: the gateway polls kie.ai then.',
    );
}

function isPrivate({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  return isIP(address) !== 0 && !isPublicAddress(address);
}

function* aboutStrangers(config: Config): Generator<Finding> {
  if (!isOpen(config)) return;
  const { host, publicUrl } = config;
  const credits = config.kieApiKey === null ? '' : ' and spend your credits';
  const mend = 'Say who may call (API_KEYS=owner:key, JWT_JWKS_URL or JWT_SECRET)';
  if (!isLoopback(host))
    yield settings.warning(
      `HOST=${host} without authentication: anyone who reaches it can call the API${credits}`,
      `${mend}.`,
    );
  else if (publicUrl !== null && !isOnLoopback(new URL(publicUrl)))
    yield settings.warning(
      `PUBLIC_URL leads to a gateway without authentication: anyone on the Internet can call the API${credits}`,
      `${mend}, or let the proxy or tunnel pass /webhooks/ alone.`,
    );
}

function* aboutProxies(config: Config): Generator<Finding> {
  const { checkImages, httpProxy, httpsProxy, maxSocketsPerAddress, publicUrl, trustedProxies } = config;
  if (maxSocketsPerAddress !== null && publicUrl !== null && trustedProxies.length === 0)
    yield settings.warning(
      'MAX_SOCKETS_PER_ADDRESS is set without TRUSTED_PROXIES: behind a proxy all clients have its address',
      'If PUBLIC_URL leads through one, set TRUSTED_PROXIES to its address.',
    );
  if (checkImages && (httpProxy ?? httpsProxy) !== null)
    yield settings.warning(
      'CHECK_IMAGES is set beside a proxy: images are fetched directly, never through it',
      'Unset CHECK_IMAGES unless this machine also reaches the internet directly.',
    );
}

const callers = findingsOf('access');

/** So many random characters of base64 hold 128 bits. */
const LONG_KEY = 22;

/** Who may call, and whether callers can be identified. */
export async function checkAccess(config: Config): Promise<readonly Finding[]> {
  const { apiKeys, jwtAudience, jwtJwksUrl } = config;
  const short = new Set(apiKeys.filter(({ key }) => key.length < LONG_KEY).map(({ owner }) => owner));
  const findings = [callers.ok(describeAccess(config))];
  if (short.size > 0)
    findings.push(
      callers.warning(
        `API_KEYS: a key of ${[...short].join(', ')} is shorter than ${LONG_KEY} characters`,
        'Make longer ones: openssl rand -base64 32',
      ),
    );
  if (jwtJwksUrl === null) return findings;
  findings.push(await aboutIssuer(jwtJwksUrl));
  if (jwtAudience === null)
    findings.push(
      callers.warning(
        'JWT_AUDIENCE is not set: tokens that the issuer makes for other services are accepted here too',
        'Set it, unless the issuer serves this gateway alone.',
      ),
    );
  return findings;
}

async function aboutIssuer(url: string): Promise<Finding> {
  const mend =
    'Check JWT_JWKS_URL: it has to name the JSON Web Key Set of the issuer. Without it no token is accepted.';
  try {
    const signal = AbortSignal.timeout(REQUEST_MS);
    const answer = await fetch(url, { headers: { 'user-agent': USER_AGENT }, signal });
    const keys = fieldsOf(parseJson(await answer.text()))?.['keys'];
    if (answer.status !== 200) return callers.failure(`${url} answers with HTTP ${answer.status}`, mend);
    if (!Array.isArray(keys) || keys.length === 0) return callers.failure(`${url} holds no keys`, mend);
    return callers.ok(`${url} holds ${keys.length === 1 ? '1 key' : `${keys.length} keys`}`);
  } catch (error) {
    return callers.failure(`${url} cannot be reached: ${explainFailure(error)}`, mend);
  }
}

const disk = findingsOf('disk');

const MIB = 1024 * 1024;
const LOW_BYTES = 1024 * MIB;
const FULL_BYTES = 64 * MIB;

/** Space for the store, and for images while they are uploaded. */
export async function checkDisk({ dataDir, databaseUrl, kieApiKey }: Config): Promise<readonly Finding[]> {
  const needsDataDir = databaseUrl === null || kieApiKey === null;
  return Promise.all([
    ...(needsDataDir ? [aboutSpace(`DATA_DIR ${dataDir}`, dataDir)] : []),
    aboutTemporary(tmpdir()),
  ]);
}

async function aboutTemporary(directory: string): Promise<Finding> {
  try {
    await access(directory, constants.W_OK);
    return await aboutSpace(`${directory}, for uploads,`, directory);
  } catch {
    return disk.failure(
      `${directory} cannot be written to: images cannot be uploaded`,
      'Let this user write there, or set TMPDIR to another directory.',
    );
  }
}

async function aboutSpace(what: string, directory: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestPath(directory));
  return judgeSpace(what, bavail * bsize);
}

/** The finding about so many free bytes. */
export function judgeSpace(what: string, bytes: number): Finding {
  if (bytes >= LOW_BYTES) return disk.ok(`${what} has ${(bytes / LOW_BYTES).toFixed(1)} GiB free`);
  const message = `${what} has ${Math.floor(bytes / MIB)} MiB free`;
  const mend = 'Free some space: what cannot be stored is refused.';
  return bytes >= FULL_BYTES ? disk.warning(message, mend) : disk.failure(message, mend);
}

/** A path, or the nearest existing one above it. Rejects when one cannot be examined. */
export async function nearestPath(path: string): Promise<string> {
  const nearest = resolve(path);
  try {
    await stat(nearest);
    return nearest;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return nearestPath(dirname(nearest));
    throw error;
  }
}
