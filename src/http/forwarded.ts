import proxyAddr from '@fastify/proxy-addr';
import type { IncomingMessage } from 'node:http';
import { countedAddress } from '../limits/address.ts';
import { isLoopback } from '../config/loopback.ts';

/** What a request looked like before proxies took it on. */
export interface Forwarded {
  /** The address that it comes from, as it is counted. */
  addressOf(request: IncomingMessage): string;
  /** Whether many clients may be behind that address: it is this machine's or a proxy's, which names no other. */
  isShared(request: IncomingMessage): boolean;
  /** The host that its client asked for; undefined when it named none. */
  hostOf(request: IncomingMessage): string | undefined;
  /** The same with the scheme before it (`https://host`), where a trusted proxy says which one it was. */
  siteOf(request: IncomingMessage): string | undefined;
  /** The id that a trusted proxy gave to the request; null when none did. */
  requestIdOf(request: IncomingMessage): string | null;
}

interface Client {
  /** The address as it is counted. */
  readonly counted: string;
  readonly isShared: boolean;
}

/** What is safe in a header and in a line of the log. */
const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;

/** Believes X-Forwarded-For, -Host and -Proto of these addresses and networks, and of nobody else. */
export function createForwarded(trustedProxies: readonly string[]): Forwarded {
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  /** By connection; by request where a proxy sends those of many clients over one connection. */
  const known = new WeakMap<object, Client>();

  function clientOf(request: IncomingMessage): Client {
    const key = request.headers['x-forwarded-for'] === undefined ? request.socket : request;
    const client = known.get(key) ?? findClient(request);
    known.set(key, client);
    return client;
  }

  function findClient(request: IncomingMessage): Client {
    const named = proxyAddr(request, isTrusted);
    const counted = countedAddress(named);
    // What is no address was made up, or is a proxy's way to say that it does not know.
    const address = counted === null ? (request.socket.remoteAddress ?? '') : named;
    const isShared = address === '' || isLoopback(address) || isTrusted(address, 0);
    return { counted: counted ?? countedAddress(address) ?? address, isShared };
  }

  /** The last value of a header that a trusted proxy has sent: each adds what it saw, and only the last is known to be true. */
  function forwardedIn({ headers, socket }: IncomingMessage, name: string): string | undefined {
    const value = headers[name];
    if (value === undefined || !isTrusted(socket.remoteAddress ?? '', 0)) return undefined;
    return String(value).split(',').at(-1)?.trim();
  }

  const hostOf = (request: IncomingMessage): string | undefined =>
    forwardedIn(request, 'x-forwarded-host') ?? request.headers.host;

  return {
    addressOf: (request) => clientOf(request).counted,
    isShared: (request) => clientOf(request).isShared,
    hostOf,
    siteOf(request) {
      const host = hostOf(request);
      const scheme = forwardedIn(request, 'x-forwarded-proto')?.toLowerCase();
      return host === undefined || (scheme !== 'https' && scheme !== 'http') ? host : `${scheme}://${host}`;
    },
    requestIdOf({ headers, socket }) {
      const id = headers['x-request-id'];
      if (typeof id !== 'string' || !REQUEST_ID.test(id)) return null;
      return isTrusted(socket.remoteAddress ?? '', 0) ? id : null;
    },
  };
}
