import { AwsClient } from 'aws4fetch';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import { parseUrl } from '../url.ts';
import { StorageError } from './storage.ts';

export interface S3ClientOptions {
  /** The endpoint, with bucket and prefix as its path. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
  /** HTTP proxy; null for none. */
  readonly proxy: string | null;
}

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
  /** The response to a call, of which a retry could not make a better one. The body of an error is read. */
  send(object: string, call: S3Call): Promise<S3Answer>;
  /** A URL that serves the object for an hour, with these parameters. */
  presign(object: string, parameters: Readonly<Record<string, string>>): Promise<string>;
  /** What a response that is no success means, and what to do. */
  refusal(answer: S3Answer): StorageError;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A response that does not come, or stops for so long, is given up. */
const IDLE_MS = 60_000;
const LINK_SECONDS = 3600;
/** Attempts of one call, and the pause before the second one, which doubles. */
const ATTEMPTS = 3;
const PAUSE_MS = 500;
/** Of no bytes. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export function createS3Client(options: S3ClientOptions): S3Client {
  const { accessKeyId, proxy, region, secretAccessKey, sessionToken } = options;
  const base = options.url.replace(/\/+$/, '');
  const host = parseUrl(base)?.host ?? base;
  const urlOf = (object: string): string => `${base}/${object}.mp4`;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== null && { sessionToken }) };
  const signer = new AwsClient({ ...credentials, region, service: 's3' });
  const dispatcher = createClient(proxy);

  async function callOnce(target: string, { body, headers, method, sha256 = EMPTY_SHA256 }: S3Call) {
    const signed = await signer.sign(target, {
      method,
      headers: { ...headers, 'x-amz-content-sha256': sha256 },
    });
    const all = Object.fromEntries(signed.headers);
    return request(target, { method, headers: all, body: body?.() ?? null, dispatcher });
  }

  return {
    async send(object, call) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const response = await callOnce(urlOf(object), call);
          const isError = response.statusCode >= 300;
          const code = isError ? await readCode(response) : '';
          if (response.statusCode < 500 || attempt === ATTEMPTS)
            return { status: response.statusCode, code, body: response.body };
        } catch (error) {
          if (attempt === ATTEMPTS) throw unreachable(host, error);
        }
        await delay(PAUSE_MS * 2 ** (attempt - 1));
      }
    },
    async presign(object, parameters) {
      const query = new URLSearchParams({ ...parameters, 'X-Amz-Expires': String(LINK_SECONDS) });
      // S3 reads + as a plus.
      const url = `${urlOf(object)}?${String(query).replaceAll('+', '%20')}`;
      return (await signer.sign(url, { method: 'GET', aws: { signQuery: true } })).url;
    },
    refusal({ code, status }) {
      const what = code === '' ? `HTTP ${status}` : `${code} (HTTP ${status})`;
      const advice = ADVICE[code] ?? 'Check ARCHIVE_S3_URL and the settings AWS_….';
      return new StorageError(`S3 at ${host} responded with ${what}. ${advice}`);
    },
    close: () => dispatcher.destroy(),
  };
}

function createClient(proxy: string | null): Dispatcher {
  const timeouts = { headersTimeout: IDLE_MS, bodyTimeout: IDLE_MS };
  const connect = { timeout: CONNECT_TIMEOUT_MS };
  return proxy === null
    ? new Agent({ ...timeouts, connect })
    : new ProxyAgent({ ...timeouts, uri: proxy, requestTls: connect });
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
  RequestTimeTooSkewed: "Set this machine's clock: it differs too much from that of the store.",
  ExpiredToken: 'Renew AWS_SESSION_TOKEN, with its key and secret.',
  AccessDenied: 'Allow the access key s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket.',
};

function unreachable(host: string, error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageError(
    `S3 at ${host} cannot be reached: ${reason}. Check ARCHIVE_S3_URL and the network.`,
    { cause: error },
  );
}
