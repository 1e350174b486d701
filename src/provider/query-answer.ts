import type { TaskFailure } from '../tasks/failure.ts';
import { parseUrl } from '../tasks/parse-url.ts';
import type { QueryAnswer } from '../tasks/provider.ts';
import { parseJson, type Envelope } from './envelope.ts';
import { errorCodeOf } from './error-code.ts';
import { amountOf, fieldsOf, textOf, wordsOf, type Fields } from './fields.ts';

/** What an answer says of a task. */
export interface ProviderRecord {
  /** The provider's task id, in two spellings. */
  readonly ids: readonly (string | null)[];
  readonly state: string | null;
  /** An echo of the create call, as JSON in a string. */
  readonly param: string | null;
  readonly resultJson: unknown;
  readonly failCode: string | null;
  readonly failMsg: string | null;
  readonly creditsConsumed: number | null;
}

/** Kie's "waiting", "queuing" and "generating", in its recordInfo page's order. */
const RUNNING_STATES = { waiting: 'WAITING', queuing: 'QUEUING', generating: 'GENERATING' } as const;

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
  const { creditsConsumed } = record;
  const callbackUrl = callbackUrlOf(record);
  const base = { providerTaskId, creditsConsumed };

  if (record.state === 'fail' || (isFate(code) && record.state !== 'success'))
    return {
      kind: 'update',
      callbackUrl,
      update: { ...base, state: 'FAIL', failure: failureIn(envelope, record) },
    };
  if (code !== 200) return { kind: 'nothing', reason: `code ${code}: ${envelope.message ?? 'no message'}` };
  if (record.state === null) return { kind: 'nothing', reason: 'an answer without a state' };
  if (isRunning(record.state))
    return { kind: 'update', callbackUrl, update: { ...base, state: RUNNING_STATES[record.state] } };
  if (record.state !== 'success')
    return { kind: 'running', callbackUrl, reason: `the unknown state "${record.state}"` };
  const videoUrls = videoUrlsIn(record.resultJson);
  return videoUrls.length > 0
    ? { kind: 'update', callbackUrl, update: { ...base, state: 'SUCCESS', videoUrls } }
    : { kind: 'running', callbackUrl, reason: 'a success without a usable result URL' };
}

/** The record in an envelope; one that says nothing when there is none. */
export function recordOf({ data }: Envelope): ProviderRecord {
  const fields: Fields = fieldsOf(data) ?? {};
  return {
    ids: [textOf(fields['taskId']), textOf(fields['task_id'])],
    state: textOf(fields['state']),
    param: textOf(fields['param']),
    resultJson: fields['resultJson'],
    failCode: wordsOf(fields['failCode']),
    failMsg: wordsOf(fields['failMsg']),
    // Newer pages have the first name, older ones the second.
    creditsConsumed: amountOf(fields['creditsConsumed']) ?? amountOf(fields['consumeCredits']),
  };
}

function isRunning(state: string): state is keyof typeof RUNNING_STATES {
  return Object.hasOwn(RUNNING_STATES, state);
}

function failureIn({ code, message }: Envelope, { failCode, failMsg }: ProviderRecord): TaskFailure {
  const ownCode = code === 200 ? Number(failCode) : code;
  // Beside code 200 the envelope's message praises the call; it says nothing about the task.
  const reason = failMsg ?? (code === 200 ? null : message);
  return {
    code: errorCodeOf(ownCode),
    providerCode: failCode ?? (code === 200 ? null : String(code)),
    message: reason ?? 'The provider said that the task failed, and not why.',
  };
}

/** `resultJson` is JSON in a string, with the videos' addresses in `resultUrls`. */
function videoUrlsIn(resultJson: unknown): readonly string[] {
  const result = typeof resultJson === 'string' ? parseJson(resultJson) : resultJson;
  const urls = fieldsOf(result)?.['resultUrls'];
  return Array.isArray(urls) ? urls.filter(isHttpUrl) : [];
}

function isHttpUrl(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//i.test(value) && parseUrl(value) !== null;
}

/** `param` echoes the create call, also as JSON in a string; the rest of it is nobody's business. */
function callbackUrlOf({ param }: ProviderRecord): string | null {
  const url = param === null ? null : fieldsOf(parseJson(param))?.['callBackUrl'];
  return typeof url === 'string' ? url : null;
}
