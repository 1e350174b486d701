import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Pool, ProxyAgent, fetch, type Dispatcher } from 'undici';

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, with curl's rules. */
interface ProxySettings {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  /** Hosts without a proxy, including subdomains. `host:port` limits to a port; `*` is every host. */
  readonly noProxy: readonly string[];
}

/** The proxy for calls to this origin; null for none. */
export function proxyFor(origin: string, { httpProxy, httpsProxy, noProxy }: ProxySettings): string | null {
  const url = new URL(origin);
  const isExempt = noProxy.some((entry) => {
    const [, host = '', port = ''] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const isPort = port === '' || port === portOf(url);
    const isHost = host === '*' || url.hostname === host || url.hostname.endsWith(`.${host}`);
    return isPort && isHost;
  });
  if (isExempt) return null;
  return url.protocol === 'https:' ? httpsProxy : httpProxy;
}

export function createDispatcher(origin: string, proxy: string | null, options: Pool.Options): Dispatcher {
  return proxy === null ? new Pool(origin, options) : new ProxyAgent({ ...options, uri: proxy });
}

/** `fetch` through a proxy; undefined without one. */
export function fetchThrough(proxy: string | null): typeof globalThis.fetch | undefined {
  if (proxy === null) return undefined;
  const dispatcher = new ProxyAgent(proxy);
  // Not Node's fetch: its undici has another version, which may not accept this dispatcher.
  const call = fetch as unknown as typeof globalThis.fetch;
  return (input, init) => call(input, { ...init, dispatcher } as RequestInit);
}

/**
 * A new connection to `url` through a proxy (CONNECT: RFC 9110, 9.3.6), with TLS for https. If it rejects, nothing of the
 * call was sent.
 */
export async function openTunnel(url: URL, proxy: string, timeoutMs: number): Promise<Socket> {
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort();
  }, timeoutMs);
  try {
    const socket = await connectThrough(url, new URL(proxy), timeout.signal);
    return url.protocol === 'https:' ? await startTls(socket, url.hostname, timeout.signal) : socket;
  } finally {
    clearTimeout(timer);
  }
}

function connectThrough(url: URL, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const target = `${url.hostname}:${portOf(url)}`;
  const credentials = decodeURIComponent(`${proxy.username}:${proxy.password}`);
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const call = (proxy.protocol === 'https:' ? httpsRequest : httpRequest)({
    method: 'CONNECT',
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: portOf(proxy),
    path: target,
    headers: { host: target, ...(credentials !== ':' && { 'proxy-authorization': authorization }) },
    agent: false,
    signal,
  });
  return new Promise((resolve, reject) => {
    call.once('error', reject).once('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket) => {
      if (statusCode >= 200 && statusCode < 300) resolve(socket);
      else {
        socket.destroy();
        reject(new Error(`the proxy responded with HTTP ${statusCode} to CONNECT ${target}`));
      }
    });
    call.end();
  });
}

function startTls(socket: Socket, hostname: string, signal: AbortSignal): Promise<Socket> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const servername = isIP(host) === 0 ? host : '';
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, host, servername, ALPNProtocols: ['http/1.1'] });
    const end = (): void => {
      secure.destroy(new Error('no TLS connection through the proxy'));
    };
    // Before the TLS handshake, the end of the socket is not reported as an error.
    socket.once('close', end);
    signal.addEventListener('abort', end);
    secure.once('error', reject).once('secureConnect', () => {
      secure.off('error', reject);
      resolve(secure);
    });
  });
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}
