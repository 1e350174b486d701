import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestEnd } from './waits.ts';

/** An S3 with one bucket, which believes nothing that is not signed. Written from AWS's pages, without a client of S3. */
export interface S3Server {
  /** The endpoint with bucket and prefix. */
  readonly url: string;
  /** What is stored, by key below the prefix. */
  readonly objects: Map<string, Buffer>;
  /** Method and key of each request, in order. */
  readonly requests: readonly string[];
  /** What happens to the next requests in place of an answer. */
  readonly mishaps: ('unavailable' | 'cut')[];
  /** Its clock, in ms since the epoch. */
  now: () => number;
}

export const S3_REGION = 'eu-central-1';
export const S3_KEY = 'AKIATEST';
export const S3_SECRET = 'the-secret-of-the-tests';
const PREFIX = '/bucket/some/prefix/';
const SKEW_MS = 15 * 60_000;

/** An error as S3 answers it: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
class S3Error extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

export async function startS3(): Promise<S3Server> {
  const state: S3Server = {
    url: '',
    objects: new Map(),
    requests: [],
    mishaps: [],
    now: () => Date.now(),
  };
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => {
      if (!(error instanceof S3Error)) response.destroy();
      else
        response
          .writeHead(error.status, { 'content-type': 'application/xml' })
          .end(`<?xml version="1.0"?><Error><Code>${error.code}</Code><Message>no</Message></Error>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, { url: `http://127.0.0.1:${port}${PREFIX.slice(0, -1)}` });
}

async function answer(state: S3Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '' } = request;
  const url = new URL(request.url ?? '', `http://${request.headers.host ?? ''}`);
  const chunks: Buffer[] = [];
  const mishap = state.mishaps.shift();
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    if (mishap === 'cut') break;
  }
  (state.requests as string[]).push(`${method} ${url.pathname.replace(PREFIX, '')}`);
  if (mishap === 'cut') {
    request.socket.destroy();
    return;
  }
  if (mishap === 'unavailable') throw new S3Error(503, 'SlowDown');
  verify(request, url, state.now());
  if (!url.pathname.startsWith(PREFIX)) throw new S3Error(404, 'NoSuchBucket');
  const key = url.pathname.slice(PREFIX.length);
  const body = Buffer.concat(chunks);
  if (method === 'PUT') put(state, key, request, body);
  if (method === 'DELETE') state.objects.delete(key);
  if (method === 'GET') get(state.objects.get(key), url, request, response);
  else response.writeHead(method === 'PUT' ? 200 : 204).end();
}

/** Takes the bytes that were signed and announced, and no others. */
function put({ objects }: S3Server, key: string, { headers }: IncomingMessage, body: Buffer): void {
  const hash = createHash('sha256').update(body);
  const sha256 = hash.copy().digest('hex');
  if (headers['content-length'] !== String(body.length)) throw new S3Error(411, 'MissingContentLength');
  if (headers['x-amz-content-sha256'] !== sha256) throw new S3Error(400, 'XAmzContentSHA256Mismatch');
  if (headers['x-amz-checksum-sha256'] !== hash.digest('base64')) throw new S3Error(400, 'BadDigest');
  objects.set(key, body);
}

function get(
  object: Buffer | undefined,
  url: URL,
  { headers }: IncomingMessage,
  response: ServerResponse,
): void {
  if (!object) throw new S3Error(404, 'NoSuchKey');
  const [, start, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const isRange = start !== undefined;
  const end = last ? Number(last) : object.length - 1;
  const bytes = isRange ? object.subarray(Number(start), end + 1) : object;
  const disposition = url.searchParams.get('response-content-disposition');
  response.writeHead(isRange ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-length': bytes.length,
    'content-type': url.searchParams.get('response-content-type') ?? 'binary/octet-stream',
    ...(disposition !== null && { 'content-disposition': disposition }),
    ...(isRange && { 'content-range': `bytes ${start}-${end}/${object.length}` }),
  });
  response.end(bytes);
}

/**
 * Signature Version 4 of headers or of a query:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function verify(request: IncomingMessage, url: URL, now: number): void {
  const { date, payload, signature, signed, credential, expiresMs } = url.searchParams.has('X-Amz-Signature')
    ? fromQuery(url.searchParams)
    : fromHeaders(request);
  const [keyId = '', day = '', region = '', service = '', end = ''] = credential.split('/');
  if (keyId !== S3_KEY) throw new S3Error(403, 'InvalidAccessKeyId');
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (expiresMs === null ? !(Math.abs(now - at) <= SKEW_MS) : !(now <= at + expiresMs))
    throw new S3Error(403, expiresMs === null ? 'RequestTimeTooSkewed' : 'AccessDenied');
  const isScope =
    day === date.slice(0, 8) && region === S3_REGION && service === 's3' && end === 'aws4_request';
  const canonical = [
    request.method,
    url.pathname,
    canonicalQuery(url.searchParams),
    ...signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    signed.join(';'),
    payload,
  ].join('\n');
  const scope = [day, region, service, end].join('/');
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join(
    '\n',
  );
  const key = [day, region, service, end].reduce<Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    Buffer.from(`AWS4${S3_SECRET}`),
  );
  const expected = createHmac('sha256', key).update(text).digest();
  const given = Buffer.from(signature, 'hex');
  const isSame = given.length === expected.length && timingSafeEqual(given, expected);
  if (!isScope || !isSame || !signed.includes('host')) throw new S3Error(403, 'SignatureDoesNotMatch');
}

function fromHeaders({ headers }: IncomingMessage) {
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
    headers.authorization ?? '',
  );
  if (!match) throw new S3Error(403, 'AccessDenied');
  const [, credential = '', names = '', signature = ''] = match;
  const signed = names.split(';');
  // Whatever belongs to S3 has to be signed.
  for (const name of Object.keys(headers))
    if (name.startsWith('x-amz-') && !signed.includes(name)) throw new S3Error(403, 'AccessDenied');
  const [date, payload] = [String(headers['x-amz-date']), String(headers['x-amz-content-sha256'])];
  return { credential, signed, signature, date, payload, expiresMs: null };
}

function fromQuery(query: URLSearchParams) {
  const value = (name: string): string => query.get(name) ?? '';
  return {
    credential: value('X-Amz-Credential'),
    signed: value('X-Amz-SignedHeaders').split(';'),
    signature: value('X-Amz-Signature'),
    date: value('X-Amz-Date'),
    payload: 'UNSIGNED-PAYLOAD',
    expiresMs: Number(value('X-Amz-Expires')) * 1000,
  };
}

function canonicalQuery(query: URLSearchParams): string {
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}
