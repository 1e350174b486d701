import proxyAddr from '@fastify/proxy-addr';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../config/loopback.ts';
import { countedAddress } from '../limits/address.ts';

/** A request as its client sent it, before trusted proxies passed it on. */
export interface Forwarded {
  /** The address of the client, in the form under which it is counted. */
  addressOf(request: IncomingMessage): string;
  /** Whether many clients may share that address: it is a loopback address or that of a proxy. */
  isShared(request: IncomingMessage): boolean;
  hostOf(request: IncomingMessage): string | undefined;
  /** The host, with the scheme (`https://host`) if a trusted proxy tells it. */
  siteOf(request: IncomingMessage): string | undefined;
  /** The id that a trusted proxy gave to the request, or null. */
  requestIdOf(request: IncomingMessage): string | null;
}

interface Client {
  readonly counted: string;
  readonly isShared: boolean;
}

/** Safe in headers and in log lines. */
const REQUEST_ID = /^[\w.:+/=-]{1,128}$/;

/** Trusts X-Forwarded-For, -Host and -Proto, and X-Request-Id, of these addresses and networks only. */
export function createForwarded(trustedProxies: readonly string[]): Forwarded {
  const isTrusted = proxyAddr.compile([...trustedProxies]);
  /** By connection, or by request if a proxy sends requests of many clients over one connection. */
  const known = new WeakMap<object, Client>();

  const isFromProxy = ({ socket }: IncomingMessage): boolean => isTrusted(socket.remoteAddress ?? '', 0);

  function clientOf(request: IncomingMessage): Client {
    const key = request.headers['x-forwarded-for'] === undefined ? request.socket : request;
    const client = known.get(key) ?? findClient(request);
    known.set(key, client);
    return client;
  }

  function findClient(request: IncomingMessage): Client {
    const named = proxyAddr(request, isTrusted);
    const counted = countedAddress(named);
    // A text that is no address is forged, or a proxy does not know the address.
    const address = counted === null ? (request.socket.remoteAddress ?? '') : named;
    const isShared = address === '' || isLoopback(address) || isTrusted(address, 0);
    return { counted: counted ?? countedAddress(address) ?? address, isShared };
  }

  /** The last value of a header: each proxy appends one, and only the last is by a trusted proxy. */
  function forwardedIn(request: IncomingMessage, name: string): string | undefined {
    const value = request.headers[name];
    return value === undefined || !isFromProxy(request) ? undefined : String(value).split(',').at(-1)?.trim();
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
    requestIdOf(request) {
      const id = request.headers['x-request-id'];
      return typeof id === 'string' && REQUEST_ID.test(id) && isFromProxy(request) ? id : null;
    },
  };
}
