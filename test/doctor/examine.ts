import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runDoctor } from '../../src/cli/doctor/run.ts';
import type { Finding } from '../../src/cli/doctor/findings.ts';

export interface Examination {
  readonly status: string;
  readonly findings: readonly Finding[];
  /** `status message -> mend` of all findings of a check. */
  of(check: string): readonly string[];
  /** Everything that was printed. */
  readonly printed: string;
}

/** Runs doctor on an environment, for programs. */
export async function examine(env: Readonly<Record<string, string>>): Promise<Examination> {
  const { printed, status } = await print(env, true);
  const { findings } = JSON.parse(printed) as { readonly findings: readonly Finding[] };
  return {
    status,
    findings,
    printed,
    of: (name) =>
      findings
        .filter(({ check }) => check === name)
        .map(({ mend, message, status }) => `${status} ${message}${mend === null ? '' : ` -> ${mend}`}`),
  };
}

/** Runs doctor on an environment. */
export async function print(
  env: Readonly<Record<string, string>>,
  isJson = false,
): Promise<{ readonly status: string; readonly printed: string }> {
  const stdout = new PassThrough();
  const status = await runDoctor({ isJson, color: false }, env, stdout);
  stdout.end();
  return { status, printed: await text(stdout) };
}
