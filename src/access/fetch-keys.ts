import type { FetchImplementation } from 'jose';
import { IssuerUnavailableError } from './caller.ts';
import { usableKeys } from './usable-keys.ts';

export interface FetchKeysOptions {
  readonly now: () => number;
  /** Told in one line that the keys cannot be had; those that are known stay in use. */
  readonly reportFailure: (reason: string) => void;
  /** Told which keys of the issuer are left out; once for each set of them. */
  readonly reportUnusable: (problems: readonly string[]) => void;
}

/** How long an issuer that failed is not asked again, in ms: anybody can bring tokens that would have it asked. */
const PAUSE_MS = 1000;

/** Fetches a JSON Web Key Set by `fetch`, without the keys that cannot be used. Rejects with IssuerUnavailableError. */
export function createFetchKeys(
  { now, reportFailure, reportUnusable }: FetchKeysOptions,
  fetch: FetchImplementation = globalThis.fetch,
): FetchImplementation {
  let failure: { readonly error: IssuerUnavailableError; readonly until: number } | null = null;
  let reported = '';

  async function fetchUsable(...request: Parameters<FetchImplementation>): Promise<Response> {
    const response = await fetch(...request);
    if (response.status !== 200) throw new Error(`status ${response.status} in place of 200`);
    const set: unknown = await response.json();
    if (!hasKeys(set)) throw new Error('no list of keys in the answer');
    const { keys, problems } = usableKeys(set.keys);
    const told = problems.join();
    if (problems.length > 0 && told !== reported) reportUnusable(problems);
    reported = told;
    return Response.json({ keys });
  }

  return async (...request) => {
    const pause = failure ? failure.until - now() : 0;
    // More than the whole pause is left when the clock has gone back.
    if (failure && pause > 0 && pause <= PAUSE_MS) throw failure.error;
    try {
      const response = await fetchUsable(...request);
      failure = null;
      return response;
    } catch (error) {
      const reason = reasonOf(error);
      const unavailable = new IssuerUnavailableError(reason);
      failure = { error: unavailable, until: now() + PAUSE_MS };
      reportFailure(reason);
      throw unavailable;
    }
  };
}

function hasKeys(set: unknown): set is { readonly keys: readonly unknown[] } {
  return typeof set === 'object' && set !== null && 'keys' in set && Array.isArray(set.keys);
}

/** fetch says "fetch failed", and why as the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
