import { environment } from './environment.ts';
import { isLoopback } from './loopback.ts';

/** One mistake for each set of values that are fine alone and wrong together. */
export function brokenRules(set: Readonly<Record<string, string>>): string[] {
  return [openToStrangers(set), urlWithoutKey(set), ...tokenRules(set)].filter((mistake) => mistake !== null);
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
  return ['API_KEYS', 'JWT_JWKS_URL', 'JWT_SECRET'].some((name) => set[name] !== undefined);
}

function tokenRules(set: Readonly<Record<string, string>>): (string | null)[] {
  const { JWT_AUDIENCE, JWT_ISSUER, JWT_JWKS_URL, JWT_SECRET } = set;
  const hasKeys = JWT_JWKS_URL !== undefined || JWT_SECRET !== undefined;
  return [
    JWT_JWKS_URL !== undefined && JWT_SECRET !== undefined
      ? 'JWT_JWKS_URL and JWT_SECRET are both set: tokens are signed one way or the other. Unset one of them'
      : null,
    JWT_SECRET?.split(',').some((secret) => secret.trim().length < 32)
      ? 'JWT_SECRET is shorter than 32 characters: it could be found by trying. Take a longer one on both sides'
      : null,
    !hasKeys && (JWT_ISSUER !== undefined || JWT_AUDIENCE !== undefined)
      ? 'JWT_ISSUER or JWT_AUDIENCE is set without JWT_JWKS_URL or JWT_SECRET: no token would be checked. Set one of those as well'
      : null,
  ];
}

function urlWithoutKey(set: Readonly<Record<string, string>>): string | null {
  if (set['KIE_API_URL'] === undefined || set['KIE_API_KEY'] !== undefined) return null;
  return (
    'KIE_API_URL is set without KIE_API_KEY: without a key the sandbox would answer instead of that address. ' +
    'Either set KIE_API_KEY (example: KIE_API_KEY=your-key) or unset KIE_API_URL'
  );
}
