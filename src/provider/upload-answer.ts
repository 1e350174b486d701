import type { HostAnswer } from '../images/upload.ts';
import { parseEnvelope, parseJson, type Envelope } from './envelope.ts';
import { fieldsOf, urlOf } from './fields.ts';

/**
 * What the upload service said (kie.ai's pages on its "File Upload API"). Where there is no envelope, the HTTP status says
 * it. Throws where it may be tried again at once.
 */
export function readUploadAnswer(status: number, body: string, retryAfterMs: number | null): HostAnswer {
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
