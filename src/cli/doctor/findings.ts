import { styleText } from 'node:util';
import { VERSION } from '../../version.ts';
import { setTimeout as delay } from 'node:timers/promises';

/** What a check has come to; skipped says nothing about whether it is well. */
export type Status = 'ok' | 'skipped' | 'warning' | 'failure';

/** One thing that a check has found; no secret is in it. */
export interface Finding {
  readonly check: string;
  readonly status: Status;
  readonly message: string;
  /** How to mend it; null where nothing is to be mended. */
  readonly mend: string | null;
}

/** Makes the findings of one check. */
export interface Findings {
  ok(message: string): Finding;
  skipped(message: string): Finding;
  warning(message: string, mend: string): Finding;
  failure(message: string, mend: string): Finding;
}

export function findingsOf(check: string): Findings {
  return {
    ok: (message) => ({ check, status: 'ok', message, mend: null }),
    skipped: (message) => ({ check, status: 'skipped', message, mend: null }),
    warning: (message, mend) => ({ check, status: 'warning', message, mend }),
    failure: (message, mend) => ({ check, status: 'failure', message, mend }),
  };
}

const STATUS_WIDTH = 9;
const CHECK_WIDTH = 16;

const COLORS = { ok: 'green', skipped: 'dim', warning: 'yellow', failure: 'red' } as const;

/** One finding as lines for people, with a newline at the end. */
export function renderFinding({ check, mend, message, status }: Finding, color: boolean): string {
  const padded = status.padEnd(STATUS_WIDTH);
  // The stream is not asked: whoever calls has decided.
  const shown = color ? styleText(COLORS[status], padded, { validateStream: false }) : padded;
  const indent = ' '.repeat(STATUS_WIDTH + CHECK_WIDTH);
  const [first = '', ...others] = message.split('\n');
  const lines = [
    `${shown}${check.padEnd(CHECK_WIDTH)}${first}`,
    ...[...others, ...(mend === null ? [] : [`-> ${mend}`])].map((line) => indent + line),
  ];
  return `${lines.join('\n')}\n`;
}

/** The last line for people. */
export function renderSummary(findings: readonly Finding[]): string {
  const failures = countOf(findings, 'failure');
  const warnings = countOf(findings, 'warning');
  const failed = failures === 0 ? 'Nothing failed' : `${failures} failed`;
  return `\n${failed}; ${warnings === 1 ? '1 warning' : `${warnings} warnings`}.\n`;
}

/** All findings for programs. */
export function renderJson(findings: readonly Finding[]): string {
  const status = (['failure', 'warning'] as const).find((one) => countOf(findings, one) > 0) ?? 'ok';
  return `${JSON.stringify({ version: VERSION, status, findings }, null, 2)}\n`;
}

function countOf(findings: readonly Finding[], status: Status): number {
  return findings.filter((finding) => finding.status === status).length;
}

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

/** Why a connection or a request failed, in one sentence part, with the code by which it can be looked up. */
export function explainFailure(error: unknown): string {
  const root = rootOf(error);
  if (root.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in root && typeof root.code === 'string' ? root.code : '';
  const meaning =
    MEANINGS[code] ?? (/^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code) ? TLS : null);
  return meaning === null ? `${root.message}${code === '' ? '' : ` (${code})`}` : `${meaning} (${code})`;
}

const TLS = 'its certificate is not valid for this address';

const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'DNS knows no such host',
  EAI_AGAIN: 'DNS does not answer',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to this network',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself alone',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody who is known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is signed by nobody who is known here; the chain may be incomplete',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what listens there does not speak TLS',
};

/** fetch says only that it failed; the reason is the cause, or the first of several. */
function rootOf(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}
