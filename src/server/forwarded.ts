import proxyAddr from '@fastify/proxy-addr';
import type { IncomingMessage } from 'node:http';

/** What a request looked like before proxies took it on. */
export interface Forwarded {
  /** The address that it comes from. */
  addressOf(request: IncomingMessage): string;
  /** The host that its client asked for; undefined when it named none. */
  hostOf(request: IncomingMessage): string | undefined;
}

/** Believes X-Forwarded-For and X-Forwarded-Host of these addresses and networks, and of nobody else. */
export function createForwarded(trustedProxies: readonly string[]): Forwarded {
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  return {
    addressOf: (request) => proxyAddr(request, isTrusted),
    hostOf({ headers, socket, url = '' }) {
      const forwarded = headers['x-forwarded-host'];
      if (forwarded === undefined || !isTrusted(socket.remoteAddress ?? '', 0))
        // RFC 9112, 3.2.2: an address that is written out whole counts more than the header.
        return url.startsWith('/') || !URL.canParse(url) ? headers.host : new URL(url).host;
      // Each proxy adds what it saw; only the last one is known to tell the truth.
      return String(forwarded).split(',').at(-1)?.trim();
    },
  };
}
