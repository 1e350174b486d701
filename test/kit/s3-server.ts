import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signatureOf } from './aws-signature.ts';
import { onTestEnd } from './waits.ts';

/** `unavailable`: 503. `cut`: the connection breaks within the request. `silent`: the response does not come. `broken`: it comes in part. */
export type Mishap = 'unavailable' | 'cut' | 'silent' | 'broken';

/** An S3 with one bucket, which believes nothing that is not signed. Written from AWS's pages, without a client of S3. */
export interface S3Server {
  /** The endpoint with bucket and prefix. */
  readonly url: string;
  /** What is stored, by key below the prefix. */
  readonly objects: Map<string, Buffer>;
  /** Method and key of each request, in order. */
  readonly requests: readonly string[];
  /** What happens to the next requests in place of what they ask for. */
  readonly mishaps: Mishap[];
  /**
   * Called when the first bytes of an object are there, and when it is stored and its response is not sent; goes on when it resolves, and
   * is answered with the error of a rejection.
   */
  onPut: (moment: 'receiving' | 'stored', key: string) => Promise<void>;
  /** Its clock, in ms since the epoch. */
  now: () => number;
}

interface S3ServerOptions {
  /** Bucket and prefix, percent-encoded. */
  readonly path?: string;
  /** The token without which the credentials are not valid. */
  readonly sessionToken?: string;
}

export const S3_REGION = 'eu-central-1';
export const S3_KEY = 'AKIATEST';
export const S3_SECRET = 'the-secret-of-the-tests';

/** The settings of a gateway that keeps copies in the S3 at `url`. */
export function s3Env(url: string) {
  return {
    ARCHIVE: 's3',
    ARCHIVE_S3_URL: url,
    AWS_REGION: S3_REGION,
    AWS_ACCESS_KEY_ID: S3_KEY,
    AWS_SECRET_ACCESS_KEY: S3_SECRET,
  };
}

const SKEW_MS = 15 * 60_000;
const WEEK_SECONDS = 7 * 24 * 60 * 60;

/** An error as S3 answers it: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export class S3Error extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

export async function startS3(options: S3ServerOptions = {}): Promise<S3Server> {
  const { path = '/bucket/some/prefix', sessionToken } = options;
  const state: S3Server = {
    url: '',
    objects: new Map(),
    requests: [],
    mishaps: [],
    onPut: () => Promise.resolve(),
    now: () => Date.now(),
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host ?? ''}`);
    const key = url.pathname.startsWith(`${path}/`) ? url.pathname.slice(path.length + 1) : null;
    answer(state, { request, response, url, key, sessionToken }).catch((error: unknown) => {
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
  return Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}` });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** null for another bucket or prefix. */
  readonly key: string | null;
  readonly sessionToken: string | undefined;
}

async function answer(state: S3Server, exchange: Exchange): Promise<void> {
  const { key, request, response, url } = exchange;
  const { method = '' } = request;
  (state.requests as string[]).push(`${method} ${key ?? url.pathname}`);
  const mishap = state.mishaps.shift();
  // Like AWS before the body: a client has to understand a response that comes while it still sends.
  if (mishap !== 'unavailable') verify(exchange, state.now());
  if (key === null) throw new S3Error(404, 'NoSuchBucket');
  if (mishap === 'silent') return;
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    if (method === 'PUT' && chunks.length === 0) await state.onPut('receiving', key);
    chunks.push(chunk as Buffer);
    if (mishap === 'cut') request.destroy();
  }
  if (mishap === 'cut') request.destroy();
  if (mishap === 'unavailable') throw new S3Error(503, 'SlowDown');
  if (method === 'PUT') {
    put(state, key, request, Buffer.concat(chunks));
    await state.onPut('stored', key);
  } else if (method === 'DELETE') state.objects.delete(key);
  else if (method === 'GET' || method === 'HEAD') {
    get(state.objects.get(key), exchange, mishap === 'broken');
    return;
  } else throw new S3Error(405, 'MethodNotAllowed');
  if (mishap === 'broken') request.socket.destroy();
  else response.writeHead(method === 'PUT' ? 200 : 204).end();
}

/** Takes the bytes that were signed and announced, and no others. */
function put({ objects }: S3Server, key: string, { headers }: IncomingMessage, body: Buffer): void {
  const hash = createHash('sha256').update(body).digest();
  if (headers['content-length'] !== String(body.length)) throw new S3Error(411, 'MissingContentLength');
  if (headers['x-amz-content-sha256'] !== hash.toString('hex'))
    throw new S3Error(400, 'XAmzContentSHA256Mismatch');
  if (headers['x-amz-checksum-sha256'] !== hash.toString('base64')) throw new S3Error(400, 'BadDigest');
  objects.set(key, body);
}

function get(object: Buffer | undefined, { request, response, url }: Exchange, isBroken: boolean): void {
  if (!object) throw new S3Error(404, 'NoSuchKey');
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const isRange = first !== undefined;
  const start = Number(first ?? 0);
  const end = Math.min(object.length, last ? Number(last) + 1 : object.length);
  if (isRange && start >= object.length) throw new S3Error(416, 'InvalidRange');
  const bytes = object.subarray(start, end);
  const disposition = url.searchParams.get('response-content-disposition');
  response.writeHead(isRange ? 206 : 200, {
    'accept-ranges': 'bytes',
    'content-length': bytes.length,
    'content-type': url.searchParams.get('response-content-type') ?? 'binary/octet-stream',
    ...(disposition !== null && { 'content-disposition': disposition }),
    ...(isRange && { 'content-range': `bytes ${start}-${end - 1}/${object.length}` }),
  });
  if (isBroken) response.write(bytes.subarray(0, bytes.length / 2), () => request.socket.destroy());
  else response.end(bytes);
}

/** Throws unless the request is signed by the one key, now or for now. */
function verify({ request, sessionToken, url }: Exchange, now: number): void {
  const { headers, method = '' } = request;
  const { pathname: path, searchParams: query } = url;
  const isLink = query.has('X-Amz-Signature');
  const proof = isLink ? fromQuery(query) : fromHeaders(request);
  const { date, payload, signature, signed } = proof;
  const [keyId, ...scope] = proof.credential.split('/');
  if (keyId !== S3_KEY) throw new S3Error(403, 'InvalidAccessKeyId');
  if (proof.token !== sessionToken) throw new S3Error(400, 'InvalidToken');
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!isLink && !(Math.abs(now - at) <= SKEW_MS)) throw new S3Error(403, 'RequestTimeTooSkewed');
  if (isLink && !isCurrent(at, Number(query.get('X-Amz-Expires')), now))
    throw new S3Error(403, 'AccessDenied');
  if (scope[1] !== S3_REGION) throw new S3Error(400, 'AuthorizationHeaderMalformed');
  const isScope = scope.join('/') === `${date.slice(0, 8)}/${S3_REGION}/s3/aws4_request`;
  const expected = signatureOf({ method, path, query, headers, signed, payload, date, scope }, S3_SECRET);
  const isSame =
    signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
  if (!isScope || !isSame || !signed.includes('host')) throw new S3Error(403, 'SignatureDoesNotMatch');
}

/** Whether a presigned URL is valid now. */
function isCurrent(at: number, seconds: number, now: number): boolean {
  return seconds >= 1 && seconds <= WEEK_SECONDS && now >= at - SKEW_MS && now <= at + seconds * 1000;
}

interface Proof {
  readonly credential: string;
  readonly signed: readonly string[];
  readonly signature: string;
  readonly date: string;
  readonly payload: string;
  readonly token: string | undefined;
}

function fromHeaders({ headers }: IncomingMessage): Proof {
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
    headers.authorization ?? '',
  );
  if (!match) throw new S3Error(403, 'AccessDenied');
  const [, credential = '', names = '', signature = ''] = match;
  const signed = names.split(';');
  // Whatever belongs to S3 has to be signed.
  for (const name of Object.keys(headers))
    if (name.startsWith('x-amz-') && !signed.includes(name)) throw new S3Error(403, 'AccessDenied');
  const header = (name: string): string | undefined => headers[name]?.toString();
  const [date = '', payload = ''] = [header('x-amz-date'), header('x-amz-content-sha256')];
  return { credential, signed, signature, date, payload, token: header('x-amz-security-token') };
}

function fromQuery(query: URLSearchParams): Proof {
  const value = (name: string): string => query.get(name) ?? '';
  return {
    credential: value('X-Amz-Credential'),
    signed: value('X-Amz-SignedHeaders').split(';'),
    signature: value('X-Amz-Signature'),
    date: value('X-Amz-Date'),
    payload: 'UNSIGNED-PAYLOAD',
    token: query.get('X-Amz-Security-Token') ?? undefined,
  };
}
