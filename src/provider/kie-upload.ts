import { ExponentialBackoff, bulkhead, handleWhen, retry, wrap } from 'cockatiel';
import { randomUUID } from 'node:crypto';
import type { HostAnswer, PictureFile, PictureHost } from '../images/upload.ts';
import type { Log } from '../tasks/log.ts';
import { callHeaders, readText } from './http.ts';
import { multipart } from './multipart.ts';
import { createPatience } from './patience.ts';
import { createDispatcher } from './proxy.ts';
import { readRetryAfter } from './retry-after.ts';
import { readUploadAnswer } from './upload-answer.ts';

export interface KieUploadOptions {
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
export interface KieUpload extends PictureHost {
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
  const { apiKey, log, patienceMs = PATIENCE_MS, retryMs = RETRY_MS } = options;
  const { uploadUrl: origin, proxy = null } = options;
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

  async function attempt(file: PictureFile): Promise<HostAnswer> {
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
        const message = answer.message.replaceAll(apiKey, '[redacted]');
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

function newName({ contentType }: PictureFile): string {
  return `${randomUUID()}.${contentType === 'image/jpeg' ? 'jpg' : contentType.replace('image/', '')}`;
}
