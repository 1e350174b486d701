import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ConcurrencyLimit } from '../limits/concurrency.ts';
import { problem, type Problem } from './problem.ts';
import type { Forwarded } from './forwarded.ts';
import { isLoopback, isOnLoopback } from '../config/loopback.ts';
import { parseUrl } from '../url.ts';

/** What is looked at of each request before any route sees it, and before a byte of its body is read. */
export interface Gate {
  /** Why a request is refused, or null to let it in. */
  refusalOf(request: IncomingMessage, response: ServerResponse): Refused | null;
  /** It is known who sent a request: it no longer counts among those of its address. */
  known(request: IncomingMessage): void;
}

export interface Refused {
  readonly problem: Problem;
  readonly headers?: Readonly<Record<string, string>>;
}

interface GateOptions {
  readonly forwarded: Forwarded;
  readonly isOurHost: HostPolicy;
  /** Requests with a body of each address whose sender is not known yet. */
  readonly unknownPerAddress: ConcurrencyLimit;
}

/** When to come back, in seconds: who sends a request is usually known within some milliseconds. */
const RETRY_AFTER_S = 1;

export function createGate({ forwarded, isOurHost, unknownPerAddress }: GateOptions): Gate {
  const leaves = new WeakMap<IncomingMessage, () => void>();
  /** The Host that each connection last named and that was let in: nearly all requests of a connection name the same. */
  const lastHosts = new WeakMap<Socket, string | undefined>();

  /** Whether there is a place for it. Addresses that many clients share have no limit: one of them would shut the others out. */
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
      // HTTP/1.0 needs none: some load balancers ask so for the health of what they balance.
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

const NOT_OURS: Refused = {
  problem: problem(421, 'This gateway does not go by that name.', {
    hint: 'Call it by a loopback name or by its PUBLIC_URL; or configure API keys or tokens, then any name will do.',
  }),
};

export const NO_HOST: Refused = {
  problem: problem(400, 'The request names no valid host.', {
    hint: 'Send one Host header: a name or an address, and a port.',
  }),
  headers: { connection: 'close' },
};

const ENCODED: Refused = {
  problem: problem(415, 'The body is compressed.', { hint: 'Send it as it is, without Content-Encoding.' }),
  headers: { 'accept-encoding': 'identity' },
};

const TOO_MANY: Refused = {
  problem: problem(429, 'Too many requests of this address are waiting.', {
    hint: `Wait for the answers to some of them, or try again in ${RETRY_AFTER_S} s.`,
  }),
  headers: { 'retry-after': String(RETRY_AFTER_S) },
};

/** Whether a request has more than one Host header, of which Node.js keeps the first (RFC 9112, 3.2). */
export function namesManyHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (/^host$/i.test(rawHeaders[at] ?? '')) hosts += 1;
  return hosts > 1;
}

/** Whether a request may be for the host that it names. */
type HostPolicy = (hostHeader: string | undefined) => boolean;

/** A host and perhaps a port; with more than that a parser of URLs would find the host elsewhere than others do. */
export function isHost(header: string): boolean {
  return parseHost(header) !== null;
}

function parseHost(header: string): URL | null {
  return /[@/\\?#\s]/.test(header) ? null : parseUrl(`http://${header}`);
}

/**
 * A page of another host whose name suddenly resolves to this machine would be same-origin with us (DNS rebinding). Where
 * nobody is asked who they are, only loopback names and our public address are answered.
 */
export function createHostPolicy(options: {
  readonly isOpen: boolean;
  readonly host: string;
  readonly publicUrl: () => string | null;
}): HostPolicy {
  const { host, isOpen, publicUrl } = options;
  // Open to everyone on another address: the operator has said that any name will do.
  if (!isOpen || !isLoopback(host)) return () => true;
  return (header) => {
    const named = header === undefined ? null : parseHost(header);
    if (!named) return false;
    if (isOnLoopback(named)) return true;
    const own = publicUrl();
    return own !== null && parseUrl(own)?.hostname === named.hostname;
  };
}
