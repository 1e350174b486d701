import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Pool, ProxyAgent, fetch, type Dispatcher } from 'undici';

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as curl and others read them. */
interface ProxySettings {
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  /** Hosts that are called directly, with all below them; `host:port` is one port of them, `*` every host. */
  readonly noProxy: readonly string[];
}

/** The proxy for calls to this origin; null when they go straight there. */
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

/** Connections to an origin, through its proxy if it has one. */
export function createDispatcher(origin: string, proxy: string | null, options: Pool.Options): Dispatcher {
  return proxy === null ? new Pool(origin, options) : new ProxyAgent({ ...options, uri: proxy });
}

/** `fetch` through a proxy; undefined without one, where the usual one will do. */
export function fetchThrough(proxy: string | null): typeof globalThis.fetch | undefined {
  if (proxy === null) return undefined;
  const dispatcher = new ProxyAgent(proxy);
  // Node's own fetch is another version of undici, which need not know this dispatcher.
  const call = fetch as unknown as typeof globalThis.fetch;
  return (input, init) => call(input, { ...init, dispatcher } as RequestInit);
}

/**
 * A connection of its own to `url` through a proxy (CONNECT: RFC 9110, 9.3.6), with TLS where `url` wants it. Rejects when
 * it does not stand within `timeoutMs`: then nothing of the call was sent.
 */
export async function openTunnel(url: URL, proxy: string, timeoutMs: number): Promise<Socket> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
  }, timeoutMs);
  try {
    const socket = await connectThrough(url, new URL(proxy), late.signal);
    return url.protocol === 'https:' ? await startTls(socket, url.hostname, late.signal) : socket;
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
        reject(new Error(`the proxy answers HTTP ${statusCode} to CONNECT ${target}`));
      }
    });
    call.end();
  });
}

function startTls(socket: Socket, hostname: string, late: AbortSignal): Promise<Socket> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const servername = isIP(host) === 0 ? host : '';
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, host, servername, ALPNProtocols: ['http/1.1'] });
    const end = (): void => {
      secure.destroy(new Error('no TLS connection through the proxy'));
    };
    // Without TLS the socket's end is not told as an error.
    socket.once('close', end);
    late.addEventListener('abort', end);
    secure.once('error', reject).once('secureConnect', () => {
      secure.off('error', reject);
      resolve(secure);
    });
  });
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}
