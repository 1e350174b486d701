import { setTimeout as delay } from 'node:timers/promises';
import type { StoreFacts } from '../../store/stats.ts';

/** The result of a check; `skipped` means that nothing was examined. */
export type Status = 'ok' | 'skipped' | 'warning' | 'failure';

/** One thing that a check found. It holds no secret. */
export interface Finding {
  readonly check: string;
  readonly status: Status;
  readonly message: string;
  /** How to fix it; null where there is nothing to fix. */
  readonly mend: string | null;
}

/** Creates the findings of one check. */
export function findingsOf(check: string) {
  return {
    ok: (message: string): Finding => ({ check, status: 'ok', message, mend: null }),
    skipped: (message: string): Finding => ({ check, status: 'skipped', message, mend: null }),
    warning: (message: string, mend: string): Finding => ({ check, status: 'warning', message, mend }),
    failure: (message: string, mend: string): Finding => ({ check, status: 'failure', message, mend }),
  };
}

/** What the check of the store found, and what later checks need to know of it. */
export interface StoreReport {
  readonly findings: readonly Finding[];
  /** The secret of callback URLs; null when it is unknown. */
  readonly callbackSecret: Buffer | null;
  /** A gateway on this machine uses the store; false also where that is unknown. */
  readonly isInUse: boolean;
}

/** The finding about a store's schema; `where` begins the message. */
export function aboutSchema({ pending }: StoreFacts, where: string, mayMigrate: boolean): Finding {
  const { failure, ok, warning } = findingsOf('store');
  if (pending.length === 0) return ok(`${where}; its schema is up to date`);
  const lack = `${where}; it lacks the migrations ${pending.join(', ')}`;
  return mayMigrate
    ? warning(lack, 'The next start runs them. Make a backup first: an older version refuses a newer schema.')
    : failure(`${lack}, and MIGRATE=false`, 'Run "kineograph migrate" before the next start.');
}

/** Limits of one request, and of a whole check, in ms. */
export const REQUEST_MS = 4500;
const CHECK_MS = 10_000;

/** What a check found, or a failure when it takes too long or throws. Never rejects. */
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
    return [failure(`it could not be checked: ${explainFailure(error)}`, 'Fix that, or report it as a bug.')];
  } finally {
    done.abort();
  }
}

/** Why a connection or a request failed, with the code by which it can be looked up. */
export function explainFailure(error: unknown): string {
  const root = rootOf(error);
  if (root.name === 'TimeoutError') return 'no answer in time';
  const code = codeOf(root);
  return code === null ? root.message : `${MEANINGS[code] ?? root.message} (${code})`;
}

/** The system's code of what made a request fail, such as ECONNREFUSED. */
export function codeOf(error: unknown): string | null {
  const root = rootOf(error);
  return 'code' in root && typeof root.code === 'string' ? root.code : null;
}

/** Where the system's own words do not help. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'DNS knows no such host',
  EAI_AGAIN: 'DNS does not answer',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ETIMEDOUT: 'no connection in time',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what listens there does not speak TLS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted; its chain may be incomplete',
};

/** fetch says only that it failed: the reason is its cause, or the first of several. */
function rootOf(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}
