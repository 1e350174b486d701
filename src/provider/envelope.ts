import { z } from 'zod';

/** Absent, null, empty and of a wrong type all mean that nothing was said. */
export const text = z
  .union([z.string(), z.number()])
  .transform((value) => String(value).trim())
  .transform((value) => (value === '' ? null : value))
  .nullish()
  .transform((value) => value ?? null)
  .catch(null);

/** What the provider says in words. It may repeat the callback address, whose token is for nobody else. */
export const words = text.transform(
  (said) => said?.replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]') ?? null,
);

/** A number, also one written as a string. */
export const amount = text.transform((value) => {
  const number = value === null ? NaN : Number(value);
  return Number.isFinite(number) ? number : null;
});

const envelopeSchema = z.object({
  code: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]),
  msg: words,
  message: words,
  data: z.unknown().optional(),
  taskId: text,
  task_id: text,
});

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
  const parsed = envelopeSchema.safeParse(value);
  if (!parsed.success) return null;
  const { code, data, message, msg, task_id, taskId } = parsed.data;
  return { code, message: msg ?? message, data, ids: [taskId, task_id] };
}

/** JSON in a text, or undefined when it is not JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
