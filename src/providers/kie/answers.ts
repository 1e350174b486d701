import type { TaskFailure, ProviderWords } from '../../tasks/failure.ts';
import type { CreateOutcome, ProviderCallback, QueryAnswer } from '../../tasks/provider.ts';
import {
  codeOf,
  parseJson,
  type Envelope,
  errorCodeOf,
  codeTextOf,
  creditsOf,
  fieldsOf,
  idOf,
  textOf,
  urlOf,
  wordsOf,
  type Fields,
  parseEnvelope,
  failureOf,
} from './wire.ts';
import type { RawAnswer } from '../post-once.ts';
import { readRetryAfter } from '../http.ts';

/** What an answer says of a task. */
interface ProviderRecord {
  /** The provider's task id, in two spellings. */
  readonly ids: readonly (string | null)[];
  /** In our words; null for one that nobody knows, and for none. */
  readonly state: State | null;
  /** The same as it came. */
  readonly stateText: string | null;
  /** Where the task calls back, as the echo of the create call shows it. */
  readonly callbackUrl: string | null;
  readonly videoUrls: readonly string[];
  readonly failCode: string | null;
  readonly failMsg: string | null;
  readonly creditsConsumed: number | null;
}

type State = 'WAITING' | 'QUEUING' | 'GENERATING' | 'SUCCESS' | 'FAIL';

/**
 * Kie's states in its recordInfo page's order, and words for both ends that mean nothing else. Without a video, what says
 * "success" is none; a word for a failure has to be beyond doubt.
 */
const STATES = new Map<string, State>([
  ['waiting', 'WAITING'],
  ['queuing', 'QUEUING'],
  ['generating', 'GENERATING'],
  ['success', 'SUCCESS'],
  ['succeeded', 'SUCCESS'],
  ['successful', 'SUCCESS'],
  ['completed', 'SUCCESS'],
  ['fail', 'FAIL'],
  ['failed', 'FAIL'],
  ['failure', 'FAIL'],
]);

/** `successFlag`, which newer answers have beside `state`: 0 is still running. */
const ENDS_BY_FLAG = new Map<number, State>([
  [1, 'SUCCESS'],
  [3, 'FAIL'],
]);

/** More results of one task than any model makes are not kept. */
const MAX_VIDEOS = 20;

/** The provider's task ids that a body names: at two levels, in two spellings, without doubles. */
export function namedIds(envelope: Envelope, record: ProviderRecord): readonly string[] {
  const ids = [...record.ids, ...envelope.ids];
  return [...new Set(ids.filter((id) => id !== null))];
}

/**
 * What an answer or a callback says of the task with this id. `isFate` decides which envelope codes are the task's own
 * end rather than trouble with the call.
 */
export function readAnswer(
  envelope: Envelope,
  record: ProviderRecord,
  providerTaskId: string,
  isFate: (code: number) => boolean,
): QueryAnswer {
  const { code } = envelope;
  const { callbackUrl, creditsConsumed, state, stateText, videoUrls } = record;
  const base = { providerTaskId, creditsConsumed };
  const said = wordsIn(envelope, record);

  if (state === 'FAIL' || (isFate(code) && state !== 'SUCCESS'))
    return {
      kind: 'update',
      callbackUrl,
      update: { ...base, state: 'FAIL', failure: failureIn(envelope, record) },
    };
  if (code !== 200)
    return { kind: 'nothing', reason: `code ${code}: ${envelope.message ?? 'no message'}`, said };
  if (state === null)
    return stateText === null
      ? { kind: 'nothing', reason: 'an answer without a state', said }
      : { kind: 'running', callbackUrl, reason: `the unknown state "${stateText}"`, said };
  if (state !== 'SUCCESS') return { kind: 'update', callbackUrl, update: { ...base, state } };
  return videoUrls.length > 0
    ? { kind: 'update', callbackUrl, update: { ...base, state, videoUrls } }
    : { kind: 'running', callbackUrl, reason: 'a success without a usable result URL', said };
}

/** The record in an envelope; one that says nothing when there is none. */
export function recordOf({ data }: Envelope): ProviderRecord {
  const fields: Fields = fieldsOf(data) ?? {};
  const stateText = codeTextOf(fields['state']);
  const end = ENDS_BY_FLAG.get(codeOf(fields['successFlag']) ?? NaN);
  return {
    ids: [idOf(fields['taskId']), idOf(fields['task_id'])],
    state: STATES.get(stateText?.toLowerCase() ?? '') ?? end ?? null,
    stateText,
    callbackUrl: callbackUrlIn(fields['param']),
    videoUrls: videoUrlsIn(fields),
    failCode: codeTextOf(fields['failCode']),
    failMsg: wordsOf(fields['failMsg']),
    // Newer pages have the first name, older ones the second.
    creditsConsumed: creditsOf(fields['creditsConsumed'], 0) ?? creditsOf(fields['consumeCredits'], 0),
  };
}

/**
 * The code in the record decides: a callback about a failure comes in an envelope 501, the answer to a query about the same
 * one in an envelope 200, which says that the call went well and nothing of the task.
 */
function failureIn({ code, message }: Envelope, { failCode, failMsg }: ProviderRecord): TaskFailure {
  const envelope = code === 200 ? null : { code, message };
  return {
    code: failCode === null ? errorCodeOf(envelope?.code ?? 501) : errorCodeOf(codeOf(failCode)),
    providerCode: failCode ?? (envelope && String(envelope.code)),
    message: failMsg ?? envelope?.message ?? 'The provider said that the task failed, and not why.',
  };
}

/** What was said although it neither moved nor ended the task. */
function wordsIn({ code, message }: Envelope, record: ProviderRecord): ProviderWords {
  const { creditsConsumed, failCode, failMsg, stateText } = record;
  const state = stateText === null ? null : `state "${stateText}"`;
  return {
    providerCode: failCode ?? (code === 200 ? null : String(code)),
    message: failMsg ?? (code === 200 ? state : message),
    creditsConsumed,
  };
}

/** `response` is `resultJson`, parsed; older answers have the latter alone: JSON in a string, once or twice. */
function videoUrlsIn({ response, resultJson }: Fields): readonly string[] {
  const urls = resultUrlsIn(response);
  return urls.length > 0 ? urls : resultUrlsIn(resultJson);
}

function resultUrlsIn(result: unknown): readonly string[] {
  const urls = fieldsOf(parsed(result))?.['resultUrls'];
  const list = typeof urls === 'string' && urls.trim().startsWith('[') ? parsed(urls) : urls;
  const values: readonly unknown[] = Array.isArray(list) ? list : [list];
  return values
    .slice(0, MAX_VIDEOS)
    .map(urlOf)
    .filter((url) => url !== null);
}

/** A value that may be JSON in a string, or that once more in a string. */
function parsed(value: unknown): unknown {
  const once = typeof value === 'string' ? parseJson(value) : value;
  return typeof once === 'string' ? parseJson(once) : once;
}

/** `param` echoes the create call as JSON in a string; the rest of it is nobody's business. */
function callbackUrlIn(param: unknown): string | null {
  const text = textOf(param);
  const url = text === null ? null : fieldsOf(parseJson(text))?.['callBackUrl'];
  return typeof url === 'string' ? url : null;
}

/** A task id in JSON, also one that is none of ours or in a place that nobody knows. */
const NAMES_TASK = /"task_?id"\s*:\s*(?!\s|null|"\s*")/i;

/**
 * Tells the four outcomes of a create call apart. A task id shows that there is a task, whatever else the answer says. Then
 * an envelope wins over the HTTP status. Where nothing says for certain that nothing was created, the outcome is unknown,
 * since a second call might be paid twice.
 */
export function readCreateOutcome(answer: RawAnswer, now: number): CreateOutcome {
  const envelope = parseEnvelope(parseJson(answer.body));
  const [providerTaskId, otherId] = envelope ? namedIds(envelope, recordOf(envelope)) : [];
  if (providerTaskId !== undefined && otherId === undefined) return { kind: 'accepted', providerTaskId };
  if (NAMES_TASK.test(answer.body)) return unknown(answer, 'a task id that cannot be used');
  if (envelope) return readEnvelope(envelope, answer, now);
  // The provider's page on limits: a request that is refused with 429 does not enter the queue.
  return answer.status === 429 ? notNow(429, null, answer, now) : unknown(answer, 'no envelope');
}

/** What an envelope without a task id says. */
function readEnvelope(envelope: Envelope, answer: RawAnswer, now: number): CreateOutcome {
  const { code, message } = envelope;
  if (code === 200) return unknown(answer, 'code 200 without a task id');
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

/**
 * Parses a callback, which has the form of a query's answer (kie.ai's page on callbacks). It comes when a task has ended, so
 * every code but 200 is the task's end.
 */
export function parseCallback(body: string): ProviderCallback | 'not-json' | 'other' {
  const value = parseJson(body);
  if (value === undefined) return 'not-json';
  const envelope = parseEnvelope(value);
  if (!envelope) return 'other';
  const record = recordOf(envelope);
  const ids = namedIds(envelope, record);
  return {
    code: envelope.code,
    ids,
    callbackUrl: record.callbackUrl,
    answer: readAnswer(envelope, record, ids[0] ?? '', (code) => code !== 200),
  };
}
