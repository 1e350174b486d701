import { cutText, type ProviderErrorCode, type TaskFailure } from '../../tasks/failure.ts';
import { parseUrl } from '../../url.ts';

/** What every answer and callback of kie.ai comes in. Its code, not the HTTP status, says how a call ended. */
export interface Envelope {
  readonly code: number;
  /** In the provider's words; some of its pages call the field `msg`, some `message`. */
  readonly message: string | null;
  readonly data: unknown;
  /** Ids that stand beside `data`, as in the provider's page on signatures. */
  readonly ids: readonly (string | null)[];
}

/** The envelope in a JSON value; null when it is none, such as an error page of a proxy in between. */
export function parseEnvelope(value: unknown): Envelope | null {
  const fields = fieldsOf(value);
  const code = codeOf(fields?.['code']);
  if (!fields || code === null) return null;
  return {
    code,
    message: wordsOf(fields['msg']) ?? wordsOf(fields['message']),
    data: fields['data'],
    ids: [idOf(fields['taskId']), idOf(fields['task_id'])],
  };
}

/** A whole number, also one written in digits; null when it is none. */
export function codeOf(value: unknown): number | null {
  if (typeof value === 'string') return /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : null;
  return Number.isSafeInteger(value) ? (value as number) : null;
}

/** JSON in a text, with or without a byte order mark, or undefined when it is not JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(withIdsAsTexts(json.startsWith('\ufeff') ? json.slice(1) : json));
  } catch {
    return undefined;
  }
}

/** Ids that are written as numbers become texts: beyond 2^53 JSON.parse would round them. */
function withIdsAsTexts(json: string): string {
  return json.replace(/("task(?:Id|_id)"\s*:\s*)(\d{16,})(?=[\s,}])/g, '$1"$2"');
}

/** A JSON object, whose members nobody has looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** The members of a JSON value; null when it is no object. */
export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** What a member says. Absent, null, empty and of a wrong type all mean that nothing was said. */
export function textOf(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  const said = typeof value === 'string' ? value.trim() : '';
  return said === '' ? null : said;
}

const MAX_WORDS = 2000;
const MAX_CODE = 100;
const MAX_ID = 255;
const MAX_URL = 2048;

/**
 * The provider's words, fit to be stored, logged and shown: at most 2,000 characters, without NUL and lone surrogates,
 * which no store takes. They may repeat the callback address, whose token is for nobody else.
 */
export function wordsOf(value: unknown): string | null {
  const words = textOf(value)?.replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]');
  return words === undefined ? null : cutText(words, MAX_WORDS);
}

/** One of the provider's codes as it came. */
export function codeTextOf(value: unknown): string | null {
  const code = textOf(value);
  if (code === null) return null;
  return cutText(code, MAX_CODE);
}

/** An id of the provider's; null for what cannot be one: rounded numbers, control characters, more than 255 characters. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
  const id = textOf(value) ?? '';
  const isId = id !== '' && id.length <= MAX_ID && !/[\p{Cc}\p{Surrogate}]/u.test(id);
  return isId ? id : null;
}

/** An address as this gateway takes and hands out: http(s), without credentials, at most 2,048 characters, serialised. */
export function urlOf(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim() : '';
  const url = /^https?:\/\//i.test(text) ? parseUrl(text) : null;
  if (url?.username !== '' || url.password !== '') return null;
  return url.href.length <= MAX_URL ? url.href : null;
}

/** More than any account or video is worth; beyond it a number is a mistake, which no sum or chart survives. */
const MAX_CREDITS = 1e9;

/** A number of credits, also one written as a string; null for one that no account or video can have. */
export function creditsOf(value: unknown, least = -MAX_CREDITS): number | null {
  const said = textOf(value);
  const number = said === null ? NaN : Number(said);
  return number >= least && number <= MAX_CREDITS ? number : null;
}

/** kie.ai's own codes: its createTask page, and for 531 and 4030 its callbacks and what clients report. */
const CODES: Readonly<Record<number, ProviderErrorCode>> = {
  400: 'INVALID_INPUT',
  401: 'UNAUTHORIZED',
  402: 'INSUFFICIENT_CREDITS',
  404: 'NOT_FOUND',
  408: 'PROVIDER_TIMEOUT',
  422: 'INVALID_INPUT',
  429: 'RATE_LIMITED',
  433: 'QUOTA_EXCEEDED',
  455: 'MAINTENANCE',
  500: 'SERVER_ERROR',
  501: 'GENERATION_FAILED',
  505: 'FEATURE_DISABLED',
  531: 'GENERATION_FAILED',
};

/** Our word for one of the provider's codes; null stands for one that is no number. */
export function errorCodeOf(code: number | null): ProviderErrorCode {
  return (code === null ? undefined : CODES[code]) ?? 'UNKNOWN';
}

/** The failure that a code of the provider stands for, in its words where it said any. */
export function failureOf(code: number, message: string | null): TaskFailure {
  return {
    code: errorCodeOf(code),
    providerCode: String(code),
    message: message ?? `The provider answered with code ${code} and no message.`,
  };
}
