import { isIPv6 } from 'node:net';

/** An http address, without a trailing slash, at which this machine reaches what listens on host and port. */
export function ownUrl(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
