import { isLoopback } from './loopback.ts';
import { DEFAULT_KIE_API_URL, type Config } from './variables.ts';

/** The values of the variables that could be parsed. */
export type Parsed = Partial<Config>;

/** One mistake for each set of values that are valid alone and wrong together. A missing value is reported already. */
export function brokenRules(parsed: Parsed): string[] {
  const { apiKeys, databaseListenUrl, databaseUrl, kieApiKey, kieApiUrl, kieUploadUrl } = parsed;
  const mistakes = [
    openToStrangers(parsed),
    sharedKey(apiKeys ?? []),
    metricsTokenAsKey(parsed),
    shortRetention(parsed),
    incompleteS3(parsed),
  ];
  if (kieApiKey === null && kieApiUrl !== DEFAULT_KIE_API_URL) mistakes.push(urlWithoutKey('KIE_API_URL'));
  if (kieApiKey === null && kieUploadUrl !== null) mistakes.push(urlWithoutKey('KIE_UPLOAD_URL'));
  if (databaseListenUrl !== null && databaseUrl === null)
    mistakes.push(
      'DATABASE_LISTEN_URL is set without DATABASE_URL: tasks would be kept in DATA_DIR. Set both, or neither',
    );
  return [...mistakes, ...tokenRules(parsed)].filter((mistake) => mistake !== null);
}

function openToStrangers({ allowAnonymous, apiKeys, host, jwtJwksUrl, jwtSecret }: Parsed): string | null {
  // Credentials that cannot be parsed were meant to be some.
  const isOpen = apiKeys?.length === 0 && jwtJwksUrl === null && jwtSecret?.length === 0;
  if (host === undefined || isLoopback(host) || allowAnonymous !== false || !isOpen) return null;
  return (
    `HOST=${JSON.stringify(host)}: not a loopback address, and nobody is asked who they are: ` +
    'anyone who reaches it spends your kie.ai credits. Either say who may call (API_KEYS=owner:key, JWT_JWKS_URL or ' +
    'JWT_SECRET), or listen on this machine alone (HOST=127.0.0.1), or allow everyone (ALLOW_ANONYMOUS=true)'
  );
}

function sharedKey(keys: Config['apiKeys']): string | null {
  for (const { key, owner } of keys) {
    const other = keys.find((one) => one.key === key && one.owner !== owner);
    if (other)
      return `API_KEYS: ${owner} and ${other.owner} have the same key, and it can open the tasks of one only. Give each one of their own`;
  }
  return null;
}

/** Whoever scrapes would spend credits, and whoever has the key would see what all owners do. */
function metricsTokenAsKey({ apiKeys, metricsToken }: Parsed): string | null {
  const owner = apiKeys?.find(({ key }) => key === metricsToken)?.owner;
  return owner === undefined
    ? null
    : `METRICS_TOKEN is the key of ${owner} in API_KEYS: whoever reads metrics could create videos. Set another token`;
}

const DAY_MS = 86_400_000;

/** A task that failed because kie.ai was silent must still exist when kie.ai reports it after all. */
function shortRetention({ taskDeadlineMs: deadline, taskRetentionDays: days }: Parsed): string | null {
  if (typeof days !== 'number' || deadline === undefined || days * DAY_MS >= deadline) return null;
  return (
    `TASK_RETENTION_DAYS=${days}: shorter than a task may take (TASK_DEADLINE_MS=${deadline}), so kie.ai could tell of ` +
    `tasks that are deleted. Set it to at least ${Math.ceil(deadline / DAY_MS)}, or shorten TASK_DEADLINE_MS`
  );
}

function incompleteS3({
  archive,
  archiveS3Url: url,
  awsAccessKeyId: key,
  awsSecretAccessKey: secret,
}: Parsed): string | null {
  if (archive !== 's3') {
    return typeof url === 'string'
      ? 'ARCHIVE_S3_URL is set, but videos would not be kept there. Set ARCHIVE=s3 as well, or unset ARCHIVE_S3_URL'
      : null;
  }
  if (url !== null && key !== null && secret !== null) return null;
  return 'ARCHIVE=s3 needs ARCHIVE_S3_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Set all of them';
}

function tokenRules({ jwtAudience, jwtIssuer, jwtJwksUrl, jwtSecret }: Parsed): (string | null)[] {
  const hasSecrets = jwtSecret?.length !== 0;
  return [
    jwtJwksUrl !== null && hasSecrets
      ? 'JWT_JWKS_URL and JWT_SECRET are both set: tokens are signed one way or the other. Unset one of them'
      : null,
    jwtSecret?.some((secret) => secret.length < 32) === true
      ? 'JWT_SECRET is shorter than 32 characters: it could be found by trying. Take a longer one on both sides'
      : null,
    jwtJwksUrl === null && !hasSecrets && (jwtIssuer !== null || jwtAudience !== null)
      ? 'JWT_ISSUER or JWT_AUDIENCE is set without JWT_JWKS_URL or JWT_SECRET: no token would be checked. Set one of those as well'
      : null,
  ];
}

function urlWithoutKey(name: string): string {
  return (
    `${name} is set without KIE_API_KEY: without a key the sandbox would answer instead of that address. ` +
    `Either set KIE_API_KEY (example: KIE_API_KEY=your-key) or unset ${name}`
  );
}
