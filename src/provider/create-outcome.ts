import type { RawAnswer } from './post-once.ts';
import type { CreateOutcome } from '../tasks/provider.ts';
import { parseEnvelope, parseJson, type Envelope } from './envelope.ts';
import { failureOf } from './error-code.ts';
import { fieldsOf, idOf } from './fields.ts';
import { readRetryAfter } from './retry-after.ts';

/**
 * Tells the four outcomes of a create call apart. An envelope wins over the HTTP status; where neither says for certain
 * that nothing was created, the outcome is unknown, since sending it again might pay twice.
 */
export function readCreateOutcome(answer: RawAnswer, now: number): CreateOutcome {
  const envelope = parseEnvelope(parseJson(answer.body));
  const outcome = envelope ? readEnvelope(envelope, answer, now) : unknown(answer, 'no envelope');
  // The provider's page on limits: a request that is refused with 429 does not enter the queue.
  return outcome.kind === 'unknown' && answer.status === 429 ? notNow(429, null, answer, now) : outcome;
}

function readEnvelope(envelope: Envelope, answer: RawAnswer, now: number): CreateOutcome {
  const { code, message } = envelope;
  if (code === 200) {
    const created = fieldsOf(envelope.data);
    const providerTaskId = idOf(created?.['taskId']) ?? idOf(created?.['task_id']);
    return providerTaskId === null
      ? unknown(answer, 'code 200 without a task id')
      : { kind: 'accepted', providerTaskId };
  }
  if (code === 429 || code === 455) return notNow(code, message, answer, now);
  if (isRefusal(code)) return { kind: 'refused', failure: failureOf(code, message) };
  const said = { providerCode: String(code), message, creditsConsumed: null };
  return { ...unknown(answer, `code ${code}: ${message ?? 'no message'}`), said };
}

/** Codes that say no: nothing was created. 408 and 500 say that something went wrong, not what. */
function isRefusal(code: number): boolean {
  return (code >= 400 && code < 500 && code !== 408) || code === 501 || code === 505 || code === 4030;
}

function notNow(code: number, message: string | null, { retryAfter }: RawAnswer, now: number): CreateOutcome {
  return {
    kind: 'not-now',
    failure: failureOf(code, message),
    retryAfterMs: readRetryAfter(retryAfter, now),
  };
}

function unknown({ status }: RawAnswer, what: string): Extract<CreateOutcome, { kind: 'unknown' }> {
  return { kind: 'unknown', reason: `HTTP ${status}, ${what}` };
}
