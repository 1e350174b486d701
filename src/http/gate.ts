import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import { refusal, retryLater, type Refusal } from '../limits/refusal.ts';
import { parseUrl } from '../url.ts';
import type { Forwarded } from './forwarded.ts';

/** Checks each request before any route sees it, and before its body is read. */
export interface Gate {
  /** Why a request is refused, or null. */
  refusalOf(request: IncomingMessage, response: ServerResponse): Refusal | null;
  /** Called when a request is authenticated: it no longer counts among the unknown ones of its address. */
  known(request: IncomingMessage): void;
}

interface GateOptions {
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
  /** Counts requests with a body of each address that are not authenticated yet. */
  readonly unknownPerAddress: ConcurrencyLimit;
}

export function createGate({ forwarded, isOurHost, unknownPerAddress }: GateOptions): Gate {
  const leaves = new WeakMap<IncomingMessage, () => void>();
  /** The last valid Host of each connection: nearly all requests of a connection name the same. */
  const lastHosts = new WeakMap<Socket, string | undefined>();

  /** Shared addresses have no limit, because one of their clients could lock out all others. */
  function takesPlace(request: IncomingMessage, response: ServerResponse): boolean {
    if (!hasBody(request) || forwarded.isShared(request)) return true;
    const address = forwarded.addressOf(request);
    if (!unknownPerAddress.add(address)) return false;
    const leave = (): void => {
      if (leaves.delete(request)) unknownPerAddress.remove(address);
    };
    leaves.set(request, leave);
    response.once('close', leave);
    return true;
  }

  return {
    refusalOf(request, response) {
      const { headers } = request;
      // Some load balancers check the health of a server with HTTP/1.0, which needs no Host.
      if (headers.host === undefined && request.httpVersion !== '1.0') return NO_HOST;
      const host = forwarded.hostOf(request);
      const isLikeLast = host === headers.host && lastHosts.get(request.socket) === host;
      if (!isLikeLast) {
        if (!isOurHost(host)) return NOT_OURS;
        for (const named of [headers.host, host]) if (named && !isHost(named)) return NO_HOST;
        lastHosts.set(request.socket, headers.host);
      }
      if (!/^(?:identity)?$/i.test(headers['content-encoding'] ?? '')) return ENCODED;
      return takesPlace(request, response) ? null : TOO_MANY;
    },
    known(request) {
      leaves.get(request)?.();
    },
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const NOT_OURS = refusal(
  421,
  'This gateway does not answer to this host name.',
  'Use a loopback name or its PUBLIC_URL; or configure API keys or tokens, which allows any name.',
);

const NO_HOST = refusal(
  400,
  'The request names no valid host.',
  'Send one Host header: a name or an address, and a port.',
  { headers: { Connection: 'close' } },
);

const ENCODED = refusal(415, 'The body is compressed.', 'Send it as it is, without Content-Encoding.', {
  headers: { 'Accept-Encoding': 'identity' },
});

const TOO_MANY = retryLater(
  429,
  'Too many requests of this address are waiting.',
  // Authentication takes milliseconds.
  1,
  'Wait for the answers to some of them, or try again in 1 s.',
);

/** Clients and proxies send some dozens. Node.js keeps the first ones and leaves out the rest, such as those of a proxy. */
export const MAX_HEADERS = 200;

const MANY_HEADERS = refusal(431, 'The request has too many headers.', `Send fewer than ${MAX_HEADERS}.`, {
  headers: { Connection: 'close' },
});

/** Why the headers of a request cannot be relied on, or null. Of several Host headers Node.js keeps the first (RFC 9112, 3.2). */
export function headersRefusal({ rawHeaders }: IncomingMessage): Refusal | null {
  if (rawHeaders.length >= 2 * MAX_HEADERS) return MANY_HEADERS;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  return hosts > 1 ? NO_HOST : null;
}

/** Whether a request may be for its host. */
type HostPolicy = (hostHeader: string | undefined) => boolean;

/** Whether a header is a host with an optional port. Parsers of URLs disagree about the host of any other text. */
export function isHost(header: string): boolean {
  return parseHost(header) !== null;
}

function parseHost(header: string): URL | null {
  return /[@/\\?#\s]/.test(header) ? null : parseUrl(`http://${header}`);
}

/**
 * Prevents DNS rebinding: a page of another host whose name resolves to this machine would be same-origin with us. Without
 * authentication, only loopback names and our public address are valid.
 */
export function createHostPolicy(options: {
  readonly isOpen: boolean;
  readonly host: string;
  readonly publicUrl: () => string | null;
}): HostPolicy {
  const { host, isOpen, publicUrl } = options;
  // The operator has opened the gateway to everyone on another address.
  if (!isOpen || !isLoopback(host)) return () => true;
  return (header) => {
    const named = header === undefined ? null : parseHost(header);
    if (!named) return false;
    if (isOnLoopback(named)) return true;
    const own = publicUrl();
    return own !== null && parseUrl(own)?.hostname === named.hostname;
  };
}
