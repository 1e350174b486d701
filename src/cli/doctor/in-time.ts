import { setTimeout as delay } from 'node:timers/promises';
import { explainFailure } from './explain-failure.ts';
import { findingsOf, type Finding } from './finding.ts';

/** How long one request of a check may take, and a whole check, in ms. */
export const REQUEST_MS = 4500;
const CHECK_MS = 10_000;

/** What a check found, or that it took too long or broke off. Never rejects. */
export async function inTime(
  check: string,
  run: () => Promise<readonly Finding[]>,
  limitMs = CHECK_MS,
): Promise<readonly Finding[]> {
  const { failure } = findingsOf(check);
  const done = new AbortController();
  const late = delay(limitMs, [failure(`no result within ${limitMs / 1000} s`, 'Try it again.')], {
    signal: done.signal,
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([run(), late]);
  } catch (error) {
    return [
      failure(`it could not be checked: ${explainFailure(error)}`, 'Mend that, or report it as a bug.'),
    ];
  } finally {
    done.abort();
  }
}
