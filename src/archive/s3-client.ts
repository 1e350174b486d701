import { AwsClient } from 'aws4fetch';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import { timeoutSignal } from '../tasks/clock.ts';
import { parseUrl } from '../url.ts';
import { fileOf, StorageError } from './storage.ts';

export interface S3ClientOptions {
  /** The endpoint, with bucket and prefix as its path. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
  /** HTTP proxy; null for none. */
  readonly proxy: string | null;
  readonly timings?: S3Timings;
}

/** Durations in ms. */
export interface S3Timings {
  /** How long a connection may take. */
  readonly connect: number;
  /** How long neither side may send anything. */
  readonly idle: number;
  /** How long one attempt may take until its response is there, and until the body of a PUT is sent. */
  readonly answer: number;
  readonly upload: number;
  /** Pause before the second attempt; the later ones double. */
  readonly pause: number;
}

const TIMINGS: S3Timings = {
  connect: 10_000,
  idle: 60_000,
  answer: 2 * 60_000,
  upload: 60 * 60_000,
  pause: 500,
};

export interface S3Call {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the body, in hexadecimal; left out for none. */
  readonly sha256?: string;
  /** Called for each attempt. */
  readonly body?: () => Readable | Buffer;
}

export interface S3Answer {
  readonly status: number;
  /** S3's error code; empty for a success, and for a response without one. */
  readonly code: string;
  readonly body: Dispatcher.ResponseData['body'];
}

/** Calls of S3 about objects. Rejects with StorageError if there is no response. */
export interface S3Client {
  /** The response to a call, after retries. Only the body of a GET that succeeded is left to be read. */
  send(object: string, call: S3Call): Promise<S3Answer>;
  /** A URL that serves the object for an hour, with these parameters. */
  presign(object: string, parameters: Readonly<Record<string, string>>): Promise<string>;
  /** What a response that is no success means, and what to do. */
  refusal(answer: Pick<S3Answer, 'status' | 'code'>): StorageError;
  close(): Promise<void>;
}

const LINK_SECONDS = 3600;
const ATTEMPTS = 3;
/** Of no bytes. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export function createS3Client(options: S3ClientOptions): S3Client {
  const { accessKeyId, proxy, region, secretAccessKey, sessionToken, timings = TIMINGS } = options;
  const { base, host } = endpointOf(options.url);
  const urlOf = (object: string): string => `${base}/${fileOf(object)}`;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== null && { sessionToken }) };
  const signer = new AwsClient({ ...credentials, region, service: 's3' });
  const dispatcher = createClient(proxy, timings);
  const closing = new AbortController();

  async function callOnce(target: string, call: S3Call, signal: AbortSignal): Promise<S3Answer> {
    const { body, headers, method, sha256 = EMPTY_SHA256 } = call;
    const signed = await signer.sign(target, {
      method,
      headers: { ...headers, 'x-amz-content-sha256': sha256 },
    });
    const response = await request(target, {
      method,
      headers: Object.fromEntries(signed.headers),
      body: body?.() ?? null,
      dispatcher,
      signal,
    });
    const { statusCode: status } = response;
    const code = status >= 300 ? await readCode(response) : '';
    if (status < 300 && method !== 'GET') await response.body.dump();
    return { status, code, body: response.body };
  }

  return {
    async send(object, call) {
      const target = urlOf(object);
      const ms = call.method === 'PUT' ? timings.upload : timings.answer;
      for (let attempt = 1; ; attempt += 1) {
        const timeout = timeoutSignal(ms, 'no response came');
        try {
          const answer = await callOnce(target, call, timeout.signal);
          if (attempt === ATTEMPTS || !isPassing(answer)) return answer;
        } catch (error) {
          if (attempt === ATTEMPTS || closing.signal.aborted) throw unreachable(host, error);
        } finally {
          timeout.end();
        }
        await delay(timings.pause * 2 ** (attempt - 1), undefined, { signal: closing.signal }).catch(
          (error: unknown) => {
            throw unreachable(host, error);
          },
        );
      }
    },
    async presign(object, parameters) {
      const query = new URLSearchParams({ ...parameters, 'X-Amz-Expires': String(LINK_SECONDS) });
      const target = `${urlOf(object)}?${String(query)}`;
      const signed = await signer.sign(target, { method: 'GET', aws: { signQuery: true } });
      // It signs a space as %20 and writes it as +, which S3 need not take for a space (RFC 3986). A plus is %2B.
      return signed.url.replaceAll('+', '%20');
    },
    refusal(answer) {
      const { code, status } = answer;
      const what = code === '' ? `HTTP ${status}` : `${code} (HTTP ${status})`;
      const advice = ADVICE[code] ?? (isPassing(answer) ? PASSING_ADVICE : OTHER_ADVICE);
      return new StorageError(`S3 at ${host} responded with ${what}. ${advice}`);
    },
    close() {
      closing.abort();
      return dispatcher.destroy();
    },
  };
}

/** An endpoint without a slash at its end, its path encoded as it is signed: aws4fetch takes a plus in a path for a space. */
function endpointOf(text: string): { readonly base: string; readonly host: string } {
  const url = parseUrl(text);
  if (!url) return { base: text, host: text };
  const path = url.pathname.replace(/\/+$/, '').replaceAll('+', '%2B');
  return { base: `${url.origin}${path}`, host: url.host };
}

function createClient(proxy: string | null, { connect, idle }: S3Timings): Dispatcher {
  const timeouts = { headersTimeout: idle, bodyTimeout: idle };
  const connector = { timeout: connect };
  return proxy === null
    ? new Agent({ ...timeouts, connect: connector })
    : new ProxyAgent({ ...timeouts, uri: proxy, requestTls: connector, proxyTls: connector });
}

/** Whether a retry of the same request may succeed. */
function isPassing({ code, status }: Pick<S3Answer, 'code' | 'status'>): boolean {
  return status >= 500 || status === 429 || code === 'RequestTimeout' || code === 'OperationAborted';
}

/** An error of S3 is far shorter. */
const MAX_ERROR_CHARACTERS = 64 * 1024;

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
async function readCode({ body }: Dispatcher.ResponseData): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > MAX_ERROR_CHARACTERS) break;
  }
  return /<Code>(\w{1,100})<\/Code>/.exec(text)?.[1] ?? '';
}

const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Create the bucket, or correct the path of ARCHIVE_S3_URL.',
  InvalidAccessKeyId: 'Correct AWS_ACCESS_KEY_ID.',
  SignatureDoesNotMatch: 'Correct AWS_SECRET_ACCESS_KEY or AWS_REGION.',
  AuthorizationHeaderMalformed: 'Correct AWS_REGION: the bucket is in another region.',
  PermanentRedirect: 'Correct ARCHIVE_S3_URL and AWS_REGION: the bucket is in another region.',
  TemporaryRedirect: 'Correct ARCHIVE_S3_URL and AWS_REGION: the bucket is in another region.',
  RequestTimeTooSkewed: "Set this machine's clock: it differs too much from that of the store.",
  ExpiredToken: 'Renew AWS_SESSION_TOKEN, with its key and secret.',
  InvalidToken: 'Correct AWS_SESSION_TOKEN, or unset it if the key and secret are not temporary.',
  AccessDenied: 'Allow the access key s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket.',
  EntityTooLarge: 'Set ARCHIVE_MAX_VIDEO_BYTES to what the store accepts.',
  BadDigest: 'Check the temporary disk of this machine, and proxies on the way: the bytes change.',
  XAmzContentSHA256Mismatch:
    'Check the temporary disk of this machine, and proxies on the way: the bytes change.',
};
const PASSING_ADVICE = 'The store is overloaded or out of order. Copying goes on once it works again.';
const OTHER_ADVICE = 'Check ARCHIVE_S3_URL and the settings AWS_….';

function unreachable(host: string, error: unknown): StorageError {
  return new StorageError(
    `S3 at ${host} cannot be reached: ${reasonOf(error)}. Check ARCHIVE_S3_URL and the network.`,
    { cause: error },
  );
}

/** Node.js tries all addresses of a name, and its error about all of them has no message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
