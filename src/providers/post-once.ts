import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { afterReading } from '../tasks/clock.ts';
import { openTunnel } from './proxy.ts';
import { brotliDecompressSync, inflateRawSync, unzipSync } from 'node:zlib';

/** The raw response to a create call. */
export interface RawAnswer {
  readonly status: number;
  readonly body: string;
  /** The header; null if absent. */
  readonly retryAfter: string | null;
}

/** A call without a complete response. */
export interface BrokenCall {
  readonly error: Error;
  /** false if no connection was established: then the provider received nothing. */
  readonly hadConnected: boolean;
}

interface PostOptions {
  readonly url: URL;
  /** HTTP proxy; null for none. */
  readonly proxy: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: string;
  /** Timeouts of the whole call, and of the connection. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

const HTTP = { request: httpRequest, agent: new HttpAgent({ keepAlive: false }), connected: 'connect' };
const HTTPS = {
  request: httpsRequest,
  agent: new HttpsAgent({ keepAlive: false }),
  connected: 'secureConnect',
};

/**
 * Posts JSON once, without redirects. Never rejects. Always on a new connection: the server may close a kept-alive one while
 * we write to it, which looks like a lost response.
 */
export async function postOnce(options: PostOptions): Promise<RawAnswer | BrokenCall> {
  const { connectTimeoutMs, proxy, url } = options;
  const tunnel = proxy === null ? null : await openTunnel(url, proxy, connectTimeoutMs).catch(errorOf);
  return tunnel instanceof Error ? { error: tunnel, hadConnected: false } : post(options, tunnel);
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Never rejects. `tunnel` is an established connection. */
function post(
  { headers, json, url, ...limits }: PostOptions,
  tunnel: Socket | null,
): Promise<RawAnswer | BrokenCall> {
  const { agent, request, connected } = url.protocol === 'https:' ? HTTPS : HTTP;
  const options: RequestOptions = {
    method: 'POST',
    ...(tunnel ? { createConnection: () => tunnel } : { agent }),
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
  };
  return new Promise((resolve) => {
    let hadConnected = false;
    const call = request(url, options);
    // A response that arrived while the process was suspended may be of a paid task: it is read before the timeout counts.
    const giveUp = (what: string, ms: number): (() => void) =>
      afterReading(ms, () => call.destroy(new Error(`${what} within ${ms} ms`)));
    const endConnecting = giveUp('no connection', limits.connectTimeoutMs);
    const endWhole = giveUp('no complete response', limits.timeoutMs);
    const onConnected = (): void => {
      hadConnected = true;
      endConnecting();
    };
    if (tunnel) onConnected();
    else call.once('socket', (socket) => socket.once(connected, onConnected));
    const end = (result: RawAnswer | BrokenCall): void => {
      endConnecting();
      endWhole();
      call.destroy();
      resolve(result);
    };
    const fail = (error: Error): void => {
      end({ error, hadConnected });
    };
    call.on('error', fail);
    call.once('response', (answer) => {
      readAnswer(answer, limits.maxAnswerBytes).then(end, fail);
    });
    call.end(json);
  });
}

async function readAnswer(answer: IncomingMessage, maxBytes: number): Promise<RawAnswer> {
  const status = answer.statusCode ?? 0;
  const body = textIn(answer, maxBytes);
  return {
    status,
    // The status 429 suffices: nothing was created, even if the body is incomplete.
    body: status === 429 ? await body.catch(() => '') : await body,
    retryAfter: answer.headers['retry-after'] ?? null,
  };
}

function textIn(answer: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > maxBytes) answer.destroy(new Error(`a response of more than ${maxBytes} bytes`));
    });
    answer.once('end', () => {
      try {
        resolve(decodeBody(Buffer.concat(chunks), answer.headers['content-encoding'], maxBytes));
      } catch (error) {
        reject(errorOf(error));
      }
    });
    answer.once('error', reject);
  });
}

type Encoding = string | readonly string[] | undefined;

/**
 * The text of a body. Decompresses it although every call requests `identity`: the response may contain the id of a paid
 * task. Throws if the result is invalid or larger than `maxBytes`.
 */
export function decodeBody(bytes: Buffer, encoding: Encoding, maxBytes: number): string {
  return decompress(bytes, String(encoding).trim().toLowerCase(), { maxOutputLength: maxBytes }).toString();
}

function decompress(bytes: Buffer, encoding: string, limit: { maxOutputLength: number }): Buffer {
  if (bytes.length === 0) return bytes;
  if (encoding === 'br') return brotliDecompressSync(bytes, limit);
  if (isGzip(bytes)) return unzipSync(bytes, limit);
  if (encoding !== 'deflate') return bytes;
  // RFC 9110, 8.4.1.2: some senders omit the zlib wrapper, which has 8 in the low four bits of its first byte.
  return (bytes.readUInt8(0) & 0x0f) === 8 ? unzipSync(bytes, limit) : inflateRawSync(bytes, limit);
}

/** The magic number of gzip (RFC 1952), which JSON never starts with. */
function isGzip(bytes: Buffer): boolean {
  return bytes.length > 2 && bytes.readUInt16BE(0) === 0x1f8b;
}
