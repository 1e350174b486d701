import { cutText } from '../tasks/cut-text.ts';
import { parseUrl } from '../tasks/parse-url.ts';

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
