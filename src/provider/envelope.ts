import { fieldsOf, idOf, wordsOf } from './fields.ts';

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
