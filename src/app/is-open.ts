import type { Config } from '../config.ts';

/** Whether a gateway with this configuration asks nobody who they are. */
export function isOpen({ apiKeys, jwtJwksUrl, jwtSecret }: Config): boolean {
  return apiKeys.length === 0 && jwtJwksUrl === null && jwtSecret.length === 0;
}
