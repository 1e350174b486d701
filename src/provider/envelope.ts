import { fieldsOf, textOf, wordsOf } from './fields.ts';

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
    ids: [textOf(fields['taskId']), textOf(fields['task_id'])],
  };
}

/** A whole number, also one written in digits. */
function codeOf(value: unknown): number | null {
  if (typeof value === 'string') return /^\d+$/.test(value) ? Number(value) : null;
  return Number.isSafeInteger(value) ? (value as number) : null;
}

/** JSON in a text, or undefined when it is not JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
