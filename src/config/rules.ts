import { environment } from './variables.ts';
import { isLoopback } from './loopback.ts';

/** One mistake for each set of values that are fine alone and wrong together. */
export function brokenRules(set: Readonly<Record<string, string>>): string[] {
  const mistakes = [
    openToStrangers(set),
    urlWithoutKey(set, 'KIE_API_URL'),
    urlWithoutKey(set, 'KIE_UPLOAD_URL'),
    sharedKey(set),
    metricsTokenAsKey(set),
    shortRetention(set),
    listenUrlAlone(set),
    ...tokenRules(set),
  ];
  return mistakes.filter((mistake) => mistake !== null);
}

function openToStrangers(set: Readonly<Record<string, string>>): string | null {
  const host = environment.shape.HOST.safeParse(set['HOST']);
  const anonymous = environment.shape.ALLOW_ANONYMOUS.safeParse(set['ALLOW_ANONYMOUS']);
  // A value that does not parse is reported for itself; what it was meant to say is not guessed.
  if (!host.success || !anonymous.success) return null;
  if (isLoopback(host.data) || anonymous.data || asksWhoCalls(set)) return null;
  return (
    `HOST=${JSON.stringify(host.data)}: not a loopback address, and nobody is asked who they are: ` +
    'anyone who reaches it spends your kie.ai credits. Either say who may call (API_KEYS=owner:key, JWT_JWKS_URL or ' +
    'JWT_SECRET), or listen on this machine alone (HOST=127.0.0.1), or allow everyone (ALLOW_ANONYMOUS=true)'
  );
}

function asksWhoCalls(set: Readonly<Record<string, string>>): boolean {
  return ['JWT_JWKS_URL', 'API_KEYS', 'JWT_SECRET'].some((name) => set[name] !== undefined);
}

function sharedKey(set: Readonly<Record<string, string>>): string | null {
  const { data: keys = [] } = environment.shape.API_KEYS.safeParse(set['API_KEYS']);
  for (const { key, owner } of keys) {
    const other = keys.find((one) => one.key === key && one.owner !== owner);
    if (other)
      return `API_KEYS: ${owner} and ${other.owner} have the same key, and it can open the tasks of one only. Give each one of their own`;
  }
  return null;
}

/** Whoever scrapes would spend credits, and whoever has the key would see what all owners do. */
function metricsTokenAsKey(set: Readonly<Record<string, string>>): string | null {
  const { data: keys = [] } = environment.shape.API_KEYS.safeParse(set['API_KEYS']);
  const owner = keys.find(({ key }) => key === set['METRICS_TOKEN'])?.owner;
  return owner === undefined
    ? null
    : `METRICS_TOKEN is the key of ${owner} in API_KEYS: whoever reads metrics could create videos. Set another token`;
}

const DAY_MS = 86_400_000;

/** A task that was taken for failed since nobody spoke of it must not be gone when somebody does. */
function shortRetention(set: Readonly<Record<string, string>>): string | null {
  const { data: days } = environment.shape.TASK_RETENTION_DAYS.safeParse(set['TASK_RETENTION_DAYS']);
  const { data: deadline } = environment.shape.TASK_DEADLINE_MS.safeParse(set['TASK_DEADLINE_MS']);
  if (typeof days !== 'number' || deadline === undefined || days * DAY_MS >= deadline) return null;
  return (
    `TASK_RETENTION_DAYS=${days}: shorter than a task may take (TASK_DEADLINE_MS=${deadline}), so kie.ai could tell of ` +
    `tasks that are deleted. Set it to at least ${Math.ceil(deadline / DAY_MS)}, or shorten TASK_DEADLINE_MS`
  );
}

function listenUrlAlone(set: Readonly<Record<string, string>>): string | null {
  if (set['DATABASE_LISTEN_URL'] === undefined || set['DATABASE_URL'] !== undefined) return null;
  return 'DATABASE_LISTEN_URL is set without DATABASE_URL: tasks would be kept in DATA_DIR. Set both, or neither';
}

function tokenRules(set: Readonly<Record<string, string>>): (string | null)[] {
  const { JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_SECRET } = set;
  const hasSecrets = JWT_SECRET !== undefined;
  const { data: secrets = [] } = environment.shape.JWT_SECRET.safeParse(JWT_SECRET);
  return [
    JWT_JWKS_URL !== undefined && hasSecrets
      ? 'JWT_JWKS_URL and JWT_SECRET are both set: tokens are signed one way or the other. Unset one of them'
      : null,
    secrets.some((secret) => secret.length < 32)
      ? 'JWT_SECRET is shorter than 32 characters: it could be found by trying. Take a longer one on both sides'
      : null,
    JWT_JWKS_URL === undefined && !hasSecrets && (JWT_ISSUER !== undefined || JWT_AUDIENCE !== undefined)
      ? 'JWT_ISSUER or JWT_AUDIENCE is set without JWT_JWKS_URL or JWT_SECRET: no token would be checked. Set one of those as well'
      : null,
  ];
}

function urlWithoutKey(
  set: Readonly<Record<string, string>>,
  name: 'KIE_API_URL' | 'KIE_UPLOAD_URL',
): string | null {
  if (set[name] === undefined || set['KIE_API_KEY'] !== undefined) return null;
  return (
    `${name} is set without KIE_API_KEY: without a key the sandbox would answer instead of that address. ` +
    `Either set KIE_API_KEY (example: KIE_API_KEY=your-key) or unset ${name}`
  );
}
