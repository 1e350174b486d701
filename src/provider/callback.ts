import type { QueryAnswer } from '../tasks/provider.ts';
import { parseEnvelope } from './envelope.ts';
import { namedIds, readAnswer, recordOf } from './query-answer.ts';

/** A callback's body, read. */
export interface Callback {
  /** The envelope's. */
  readonly code: number;
  /** Every provider task id that it names, without doubles: exactly one in a callback that makes sense. */
  readonly ids: readonly string[];
  /** What it says of the first of them. */
  readonly answer: QueryAnswer;
  /** The address that the task was created with; null where it is not shown. */
  readonly callbackUrl: string | null;
}

/**
 * Reads a callback, which has the form of a query's answer (kie.ai's page on callbacks); null when it has not.
 * It comes when a task has ended, so every code but 200 is the task's end.
 */
export function parseCallback(body: unknown): Callback | null {
  const envelope = parseEnvelope(body);
  if (!envelope) return null;
  const record = recordOf(envelope);
  const ids = namedIds(envelope, record);
  return {
    code: envelope.code,
    ids,
    callbackUrl: record.callbackUrl,
    answer: readAnswer(envelope, record, ids[0] ?? '', (code) => code !== 200),
  };
}
