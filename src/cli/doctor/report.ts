import { styleText } from 'node:util';
import { VERSION } from '../../version.ts';
import type { Finding, Status } from './finding.ts';

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
