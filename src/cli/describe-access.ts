import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/loopback.ts';

/** Who may call, in a few words and without any secret. */
export function describeAccess({ apiKeys, host, jwtJwksUrl, jwtSecret }: Config): string {
  const ways = [
    ...(apiKeys.length > 0 ? [`API keys of ${countOf(apiKeys.map(({ owner }) => owner))}`] : []),
    ...(jwtJwksUrl !== null ? [`tokens signed by the keys at ${jwtJwksUrl}`] : []),
    ...(jwtSecret.length > 0 ? ['tokens signed with JWT_SECRET'] : []),
  ];
  if (ways.length > 0) return ways.join(', ');
  return isLoopback(host) ? 'open, loopback only' : 'open to everyone (ALLOW_ANONYMOUS)';
}

function countOf(owners: readonly string[]): string {
  const { size } = new Set(owners);
  return size === 1 ? '1 owner' : `${size} owners`;
}
