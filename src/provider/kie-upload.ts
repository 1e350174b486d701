import { ExponentialBackoff, handleAll, retry } from 'cockatiel';
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import type { HostAnswer, PictureFile, PictureHost } from '../pictures/uploads.ts';
import type { Log } from '../tasks/log.ts';
import { parseUrl } from '../tasks/parse-url.ts';
import { parseEnvelope, parseJson } from './envelope.ts';
import { fieldsOf, textOf } from './fields.ts';
import { multipart } from './multipart.ts';
import { readRetryAfter } from './retry-after.ts';

export interface KieUploadOptions {
  /** Origin of the upload service, without a trailing slash; another one than that of the API. */
  readonly uploadUrl: string;
  readonly apiKey: string;
  readonly userAgent: string;
  /** How long one try may take, its turn among others included. */
  readonly timeoutMs?: number;
  /** The pause before the second try; each further one is longer. */
  readonly retryMs?: number;
  readonly log: Log;
}

/** kie.ai's upload service. */
export interface KieUpload extends PictureHost {
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

const TIMEOUT_MS = 120_000;
const RETRY_MS = 500;
/** Uploading costs nothing, and each try is under a name of its own. */
const RETRIES = 2;
const CONNECTIONS = 10;
const MAX_ANSWER_BYTES = 64 * 1024;

/** Where our pictures lie among the account's files; without slashes at its ends, as the service wants it. */
const UPLOAD_PATH = 'kineograph';

/** kie.ai's page "File Stream Upload": multipart with file, uploadPath and fileName; a name that is there is overwritten. */
export function createKieUpload(options: KieUploadOptions): KieUpload {
  const { apiKey, log, retryMs = RETRY_MS, timeoutMs = TIMEOUT_MS } = options;
  const pool = new Pool(options.uploadUrl, { connections: CONNECTIONS, maxResponseSize: MAX_ANSWER_BYTES });
  const policy = retry(handleAll, {
    maxAttempts: RETRIES,
    backoff: new ExponentialBackoff({ initialDelay: retryMs }),
  });

  async function attempt(file: PictureFile): Promise<HostAnswer> {
    const { body, headers } = multipart({ uploadPath: UPLOAD_PATH, fileName: newName(file) }, file);
    const answer = await pool.request({
      method: 'POST',
      path: '/api/file-stream-upload',
      headers: { ...headers, authorization: `Bearer ${apiKey}`, 'user-agent': options.userAgent },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const retryAfter = String(answer.headers['retry-after'] ?? '');
    return readAnswer(answer.statusCode, await answer.body.text(), readRetryAfter(retryAfter, Date.now()));
  }

  return {
    async store(file) {
      try {
        const answer = await policy.execute(() => attempt(file));
        if (answer.kind !== 'refused') return answer;
        const message = answer.message.replaceAll(apiKey, '[redacted]');
        log.warn({ reason: message }, 'the provider did not take a picture');
        return { ...answer, message };
      } catch (error) {
        log.warn({ err: error }, 'a picture could not be uploaded to the provider');
        return { kind: 'unavailable', retryAfterMs: null };
      }
    },
    close: () => pool.destroy(),
  };
}

/** Throws where it may be tried again at once. */
function readAnswer(status: number, body: string, retryAfterMs: number | null): HostAnswer {
  const envelope = parseEnvelope(parseJson(body));
  const code = envelope?.code ?? status;
  if (!envelope || code === 429 || code === 455 || code >= 500) {
    if (retryAfterMs !== null) return { kind: 'unavailable', retryAfterMs };
    throw new Error(`HTTP ${status}, ${envelope ? `code ${code}` : 'no envelope'}`);
  }
  if (code !== 200) return { kind: 'refused', message: envelope.message ?? `code ${code}` };
  const data = fieldsOf(envelope.data);
  // The service's pages say downloadUrl; a client was seen that reads fileUrl as well.
  const url = textOf(data?.['downloadUrl']) ?? textOf(data?.['fileUrl']);
  if (url === null || !/^https?:/.test(parseUrl(url)?.protocol ?? ''))
    throw new Error(`HTTP ${status}, code 200 without an address`);
  return { kind: 'stored', url };
}

function newName({ contentType }: PictureFile): string {
  return `${randomUUID()}.${contentType === 'image/jpeg' ? 'jpg' : contentType.replace('image/', '')}`;
}
