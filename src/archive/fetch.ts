import { isIP } from 'node:net';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import { createSafeAgent, isPublicAddress, type SafeAgentOptions } from '../images/safe-fetch.ts';
import { parseUrl } from '../url.ts';

export interface FetchOptions extends Pick<SafeAgentOptions, 'lookup' | 'isAllowed'> {
  /** Origins that are fetched from wherever they are. All others have to be on public addresses. */
  readonly allowedOrigins: () => readonly string[];
  /** The HTTP proxy for an origin; null for none. Behind a proxy, the proxy decides which addresses a name may have. */
  readonly proxyOf: (origin: string) => string | null;
}

export type Response = Dispatcher.ResponseData;

/** Why there is no response that counts. Says nothing about addresses that are not public. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}

/** Requests a URL, wherever redirects lead. Rejects with FetchError if it must not be fetched, and otherwise as undici does. */
export interface Fetcher {
  get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>;
  /** Ends all connections. */
  close(): Promise<void>;
}

const MAX_REDIRECTIONS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const CONNECT_TIMEOUT_MS = 10_000;
/** The caller's signal ends a request; timers of undici would discard what arrived while the process was suspended. */
const NO_TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0 };

export function createFetcher(options: FetchOptions): Fetcher {
  const clients = new Map<string, Dispatcher>();

  /** Each origin has a client of its own, so what is allowed for one is allowed for no other. */
  function clientFor({ hostname, origin }: URL): Dispatcher {
    const known = clients.get(origin);
    if (known) return known;
    const proxy = options.proxyOf(origin);
    const isAllowed = options.allowedOrigins().some((allowed) => parseUrl(allowed)?.origin === origin);
    if (proxy !== null && !isAllowed) checkHost(hostname);
    const client = createClient(options, proxy, isAllowed);
    clients.set(origin, client);
    return client;
  }

  return {
    async get(from, headers, signal) {
      let url = checkUrl(parseUrl(from), 'its URL');
      for (let redirections = 0; ; redirections += 1) {
        const client = clientFor(url);
        const response = await request(url, { headers, signal, dispatcher: client, ...NO_TIMEOUTS });
        if (!REDIRECTS.has(response.statusCode)) return response;
        discard(response);
        if (redirections === MAX_REDIRECTIONS)
          throw new FetchError(`its server redirects more than ${MAX_REDIRECTIONS} times`);
        const { location } = response.headers;
        url = checkUrl(typeof location === 'string' ? parseUrl(location, url.href) : null, 'the redirect');
      }
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.destroy()));
    },
  };
}

/** Ends a response without reading its body. */
export function discard({ body }: Response): void {
  body.on('error', () => undefined).destroy();
}

function createClient(
  { isAllowed, lookup }: FetchOptions,
  proxy: string | null,
  isAnywhere: boolean,
): Dispatcher {
  const connect = { timeout: CONNECT_TIMEOUT_MS };
  if (proxy !== null) return new ProxyAgent({ uri: proxy, proxyTls: connect, requestTls: connect });
  if (isAnywhere) return new Agent({ connect });
  return createSafeAgent({
    ...(lookup && { lookup }),
    ...(isAllowed && { isAllowed }),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    maxRedirections: 0,
  });
}

function checkUrl(url: URL | null, what: string): URL {
  if (url === null || !/^https?:$/.test(url.protocol)) throw new FetchError(`${what} is no http(s) URL`);
  if (url.username !== '' || url.password !== '') throw new FetchError(`${what} has a user or a password`);
  return url;
}

/** Behind a proxy, only addresses that are written out and this machine's own name can be judged. */
function checkHost(hostname: string): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  const isPrivate = isIP(host) === 0 ? /(^|\.)localhost\.?$/.test(host) : !isPublicAddress(host);
  if (isPrivate) throw new FetchError('its address is not public');
}
