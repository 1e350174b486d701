import { ExponentialBackoff, bulkhead, handleWhen, retry, wrap } from 'cockatiel';
import { randomUUID } from 'node:crypto';
import type { HostAnswer, ImageFile, ImageHost } from '../../images/upload.ts';
import type { Log } from '../../tasks/log.ts';
import { callHeaders, readText, createPatience, readRetryAfter } from '../http.ts';
import { createDispatcher } from '../proxy.ts';
import { createScrub } from '../../log/scrub.ts';
import { Readable } from 'node:stream';
import { parseEnvelope, parseJson, type Envelope, fieldsOf, urlOf } from './wire.ts';

interface KieUploadOptions {
  /** Origin of the upload service, without a trailing slash; another one than that of the API. */
  readonly uploadUrl: string;
  readonly apiKey: string;
  /** Through which all calls go; none when absent. */
  readonly proxy?: string | null | undefined;
  readonly userAgent: string;
  /** How long a try may make no progress, and how long its answer may take then. */
  readonly patienceMs?: number;
  /** The pause before the second try; each further one is longer. */
  readonly retryMs?: number;
  readonly log: Log;
}

/** kie.ai's upload service. */
interface KieUpload extends ImageHost {
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

const PATIENCE_MS = 30_000;
const RETRY_MS = 500;
/** Uploading costs nothing, and each try is under a name of its own. */
const RETRIES = 2;
/** So few that each gets on, also where the way out is narrow; the others wait. */
const CONNECTIONS = 4;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Where our pictures lie among the account's files; without slashes at its ends, as the service wants it. */
const UPLOAD_PATH = 'kineograph';

/** kie.ai's page "File Stream Upload": multipart with file, uploadPath and fileName; a name that is there is overwritten. */
export function createKieUpload(options: KieUploadOptions): KieUpload {
  const { log, patienceMs = PATIENCE_MS, retryMs = RETRY_MS } = options;
  const { uploadUrl: origin, proxy = null } = options;
  const scrub = createScrub([options.apiKey]);
  const dispatcher = createDispatcher(origin, proxy, {
    connections: CONNECTIONS,
    maxResponseSize: MAX_ANSWER_BYTES,
    // Patience ends a call; undici's own timers would throw away what arrived while the process was stopped.
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
  // Its time begins when it is a try's turn.
  const policy = wrap(tries, bulkhead(CONNECTIONS, Infinity));

  async function attempt(file: ImageFile): Promise<HostAnswer> {
    const patience = createPatience(patienceMs);
    const fields = { uploadPath: UPLOAD_PATH, fileName: newName(file) };
    const { body, headers } = multipart(fields, file, patience.renew);
    try {
      const answer = await dispatcher.request({
        origin,
        method: 'POST',
        path: '/api/file-stream-upload',
        headers: { ...headers, ...callHeaders(options) },
        body,
        signal: AbortSignal.any([patience.signal, closing.signal]),
      });
      const retryAfter = String(answer.headers['retry-after'] ?? '');
      return readUploadAnswer(
        answer.statusCode,
        await readText(answer, MAX_ANSWER_BYTES),
        readRetryAfter(retryAfter, Date.now()),
      );
    } finally {
      patience.end();
    }
  }

  return {
    async store(file) {
      try {
        const answer = await policy.execute(() => attempt(file));
        if (answer.kind !== 'refused') return answer;
        const message = scrub(answer.message);
        log.warn({ reason: message }, 'the provider did not take a picture');
        return { ...answer, message };
      } catch (error) {
        if (!closing.signal.aborted)
          log.warn({ err: error }, 'a picture could not be uploaded to the provider');
        return { kind: 'unavailable', retryAfterMs: null };
      }
    },
    close: () => {
      closing.abort();
      return dispatcher.destroy();
    },
  };
}

function newName({ contentType }: ImageFile): string {
  return `${randomUUID()}.${contentType === 'image/jpeg' ? 'jpg' : contentType.replace('image/', '')}`;
}

/** The body of a request, as a stream of known length, and the headers that tell of it. */
interface Multipart {
  readonly headers: { readonly 'content-type': string; readonly 'content-length': string };
  readonly body: Readable;
}

/**
 * Fields and then a file as multipart/form-data (RFC 7578); FormData would want the whole file, or a name for it. The
 * values are ours: they hold neither quotes nor line breaks. `onProgress` is called as it leaves.
 */
export function multipart(
  fields: Readonly<Record<'uploadPath' | 'fileName', string>>,
  file: ImageFile,
  onProgress: () => void,
): Multipart {
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
    body: Readable.from(inARow(head, file, tail, onProgress)),
  };
}

/** Goes on whenever there is room for more, and says so. */
async function* inARow(
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

/**
 * What the upload service said (kie.ai's pages on its "File Upload API"). Where there is no envelope, the HTTP status says
 * it. Throws where it may be tried again at once.
 */
function readUploadAnswer(status: number, body: string, retryAfterMs: number | null): HostAnswer {
  const envelope = parseEnvelope(parseJson(body));
  const code = envelope?.code ?? status;
  if (code === 200 && envelope) return { kind: 'stored', url: urlIn(envelope) };
  if (isRefusal(code)) return { kind: 'refused', message: envelope?.message ?? `HTTP ${status}` };
  if (retryAfterMs !== null) return { kind: 'unavailable', retryAfterMs };
  throw new Error(`HTTP ${status}, ${envelope ? `code ${code}` : 'no envelope'}`);
}

/** What would come to the same the next time: a redirect, which is not followed, among it. */
function isRefusal(code: number): boolean {
  const isPassing = code === 408 || code === 425 || code === 429 || code === 455;
  return code >= 300 && code < 500 && !isPassing;
}

function urlIn({ data }: Envelope): string {
  const fields = fieldsOf(data);
  // The pages say downloadUrl; a client was seen that reads fileUrl as well.
  const url = urlOf(fields?.['downloadUrl']) ?? urlOf(fields?.['fileUrl']);
  if (url !== null) return url;
  throw new Error('code 200 without an address');
}
