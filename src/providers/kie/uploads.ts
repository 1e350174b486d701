import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { randomUUID } from 'node:crypto';
import type { Log } from '../../tasks/log.ts';
import type { ImageFile, Provider, UploadAnswer } from '../../tasks/provider.ts';
import { timeoutSignal } from '../../tasks/clock.ts';
import { callHeaders, readText, readRetryAfter } from '../http.ts';
import { createDispatcher } from '../proxy.ts';
import { createScrub } from '../../log/scrub.ts';
import { Readable } from 'node:stream';
import { parseEnvelope, parseJson, type Envelope, fieldsOf, urlOf } from './wire.ts';

interface KieUploadOptions {
  /** Origin of the upload service, without a trailing slash. It differs from the API's. */
  readonly uploadUrl: string;
  readonly apiKey: string;
  /** HTTP proxy for all calls. */
  readonly proxy?: string | null | undefined;
  readonly userAgent: string;
  /** Longest time without progress, including the wait for the response. */
  readonly progressTimeoutMs?: number;
  /** Delay before the first retry; later ones are longer. */
  readonly retryMs?: number;
  readonly log: Log;
}

const PROGRESS_TIMEOUT_MS = 30_000;
const RETRY_MS = 500;
/** Uploads are free, and each attempt has its own file name, so retries are safe. */
const RETRIES = 2;
/** Few, so that each makes progress on a slow uplink. Others wait. */
const CONNECTIONS = 4;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Directory among the account's files. The service wants no slashes at its ends. */
const UPLOAD_PATH = 'kineograph';

/** kie.ai's page "File Stream Upload": multipart with file, uploadPath and fileName. An existing name is overwritten. */
export function createKieUpload(options: KieUploadOptions): Pick<Provider, 'upload' | 'close'> {
  const { log, progressTimeoutMs = PROGRESS_TIMEOUT_MS, retryMs = RETRY_MS } = options;
  const { uploadUrl: origin, proxy = null } = options;
  const scrub = createScrub([options.apiKey]);
  const dispatcher = createDispatcher(origin, proxy, {
    connections: CONNECTIONS,
    maxResponseSize: MAX_ANSWER_BYTES,
    // The progress timeout ends a call; undici's timers would discard what arrived while the process was suspended.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const closing = new AbortController();
  const tries = retry(
    handleWhen(() => !closing.signal.aborted),
    {
      maxAttempts: RETRIES,
      backoff: new ExponentialBackoff({ initialDelay: retryMs }),
    },
  );

  async function attempt(file: ImageFile): Promise<UploadAnswer> {
    const timeout = timeoutSignal(progressTimeoutMs, 'no progress', closing.signal);
    const fields = { uploadPath: UPLOAD_PATH, fileName: newName(file) };
    const { body, headers } = multipart(fields, file, timeout.renew);
    try {
      const answer = await dispatcher.request({
        origin,
        method: 'POST',
        path: '/api/file-stream-upload',
        headers: { ...headers, ...callHeaders(options) },
        body,
        signal: timeout.signal,
      });
      const retryAfter = String(answer.headers['retry-after'] ?? '');
      return readUploadAnswer(
        answer.statusCode,
        await readText(answer, MAX_ANSWER_BYTES),
        readRetryAfter(retryAfter, Date.now()),
      );
    } finally {
      timeout.end();
    }
  }

  return {
    async upload(file: ImageFile): Promise<UploadAnswer> {
      try {
        const answer = await tries.execute(() => attempt(file));
        if (answer.kind !== 'refused') return answer;
        const message = scrub(answer.message);
        log.warn({ reason: message }, 'the provider refused an image upload');
        return { ...answer, message };
      } catch (error) {
        if (!closing.signal.aborted) log.warn({ err: error }, 'uploading an image to the provider failed');
        return { kind: 'unavailable', retryAfterMs: null };
      }
    },
    /** Aborts in-flight uploads. */
    close: (): Promise<void> => {
      closing.abort();
      return dispatcher.destroy();
    },
  };
}

function newName({ contentType }: ImageFile): string {
  return `${randomUUID()}.${contentType === 'image/jpeg' ? 'jpg' : contentType.replace('image/', '')}`;
}

/**
 * Streams fields and a file as multipart/form-data (RFC 7578); FormData needs the whole file, or a file path. The values are
 * ours and contain no quotes or line breaks. `onProgress` is called for each chunk.
 */
function multipart(
  fields: Readonly<Record<'uploadPath' | 'fileName', string>>,
  file: ImageFile,
  onProgress: () => void,
) {
  const boundary = `kineograph-${randomUUID()}`;
  const begin = (disposition: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const texts = Object.entries(fields).map(([name, value]) => `${begin(`name="${name}"`)}\r\n${value}\r\n`);
  const fileHead = `${begin(`name="file"; filename="${fields.fileName}"`)}Content-Type: ${file.contentType}\r\n\r\n`;
  const head = Buffer.from(texts.join('') + fileHead);
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + file.bytes + tail.length),
    },
    body: Readable.from(chunksOf(head, file, tail, onProgress)),
  };
}

async function* chunksOf(
  head: Buffer,
  file: ImageFile,
  tail: Buffer,
  onProgress: () => void,
): AsyncGenerator<Buffer> {
  yield head;
  for await (const chunk of file.read()) {
    onProgress();
    yield chunk;
  }
  onProgress();
  yield tail;
}

/** Parses a response of kie.ai's "File Upload API", by HTTP status without an envelope. Throws if a retry is useful. */
function readUploadAnswer(status: number, body: string, retryAfterMs: number | null): UploadAnswer {
  const envelope = parseEnvelope(parseJson(body));
  const code = envelope?.code ?? status;
  if (code === 200 && envelope) return { kind: 'stored', url: urlIn(envelope) };
  if (isRefusal(code)) return { kind: 'refused', message: envelope?.message ?? `HTTP ${status}` };
  if (retryAfterMs !== null) return { kind: 'unavailable', retryAfterMs };
  throw new Error(`HTTP ${status}, ${envelope ? `code ${code}` : 'no envelope'}`);
}

/** Permanent errors, including redirects, which are not followed. */
function isRefusal(code: number): boolean {
  const isTransient = code === 408 || code === 425 || code === 429 || code === 455;
  return code >= 300 && code < 500 && !isTransient;
}

function urlIn({ data }: Envelope): string {
  const fields = fieldsOf(data);
  // Documented as downloadUrl; some clients also read fileUrl.
  const url = urlOf(fields?.['downloadUrl']) ?? urlOf(fields?.['fileUrl']);
  if (url !== null) return url;
  throw new Error('code 200 without a URL');
}
