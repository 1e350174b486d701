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

/** The answer to a create call as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly body: string;
  /** The header, null when there is none. */
  readonly retryAfter: string | null;
}

/** A call that brought no whole answer. */
export interface BrokenCall {
  readonly error: Error;
  /** false: the connection never stood, so that nothing can have been received. */
  readonly hadConnected: boolean;
}

interface PostOptions {
  readonly url: URL;
  /** Through which the connection is made; null for none. */
  readonly proxy: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: string;
  /** How long the whole call may take, and how long until the connection stands. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

const HTTP = { request: httpRequest, agent: new HttpAgent({ keepAlive: false }), stands: 'connect' };
const HTTPS = { request: httpsRequest, agent: new HttpsAgent({ keepAlive: false }), stands: 'secureConnect' };

/**
 * Posts JSON on a connection of its own, never a kept one: no repetition, no redirect. Never rejects.
 * A kept-alive connection may be closed by the other side just as we write to it, which looks like a lost answer; a fresh
 * one also tells whether there was any connection at all.
 */
export async function postOnce(options: PostOptions): Promise<RawAnswer | BrokenCall> {
  const { connectTimeoutMs, proxy, url } = options;
  const tunnel = proxy === null ? null : await openTunnel(url, proxy, connectTimeoutMs).catch(errorOf);
  return tunnel instanceof Error ? { error: tunnel, hadConnected: false } : post(options, tunnel);
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Never rejects. A `tunnel` is a connection that stands already. */
function post(
  { headers, json, url, ...limits }: PostOptions,
  tunnel: Socket | null,
): Promise<RawAnswer | BrokenCall> {
  const { agent, request, stands } = url.protocol === 'https:' ? HTTPS : HTTP;
  const options: RequestOptions = {
    method: 'POST',
    ...(tunnel ? { createConnection: () => tunnel } : { agent }),
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
  };
  return new Promise((resolve) => {
    let hadConnected = false;
    const call = request(url, options);
    // An answer that came while the process was stopped may have been paid for: it is read before the time counts as over.
    const giveUp = (what: string, ms: number): (() => void) =>
      afterReading(ms, () => call.destroy(new Error(`${what} within ${ms} ms`)));
    const endConnecting = giveUp('no connection', limits.connectTimeoutMs);
    const endWhole = giveUp('no whole answer', limits.timeoutMs);
    const stand = (): void => {
      hadConnected = true;
      endConnecting();
    };
    if (tunnel) stand();
    else call.once('socket', (socket) => socket.once(stands, stand));
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
    // A 429 says all there is to say in its status: nothing was created, however its body ends.
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
      if (length > maxBytes) answer.destroy(new Error(`an answer of more than ${maxBytes} bytes`));
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

/** The header Content-Encoding. */
type Encoding = string | readonly string[] | undefined;

/**
 * The text of a body. Every call asks for `identity`, but an answer that says what a paid task is called is read even when
 * something in between has packed it, with or without saying so. Throws for what cannot be unpacked to `maxBytes`.
 */
export function decodeBody(bytes: Buffer, encoding: Encoding, maxBytes: number): string {
  return unpack(bytes, String(encoding).trim().toLowerCase(), { maxOutputLength: maxBytes }).toString();
}

function unpack(bytes: Buffer, encoding: string, limit: { maxOutputLength: number }): Buffer {
  if (bytes.length === 0) return bytes;
  if (encoding === 'br') return brotliDecompressSync(bytes, limit);
  if (isGzip(bytes)) return unzipSync(bytes, limit);
  if (encoding !== 'deflate') return bytes;
  // RFC 9110, 8.4.1.2: some senders leave out the zlib wrapper, which begins with 8 in its low four bits.
  return (bytes.readUInt8(0) & 0x0f) === 8 ? unzipSync(bytes, limit) : inflateRawSync(bytes, limit);
}

/** RFC 1952: how every gzip file begins, and no JSON. */
function isGzip(bytes: Buffer): boolean {
  return bytes.length > 2 && bytes.readUInt16BE(0) === 0x1f8b;
}
