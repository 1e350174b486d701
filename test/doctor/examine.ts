import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Finding } from '../../src/cli/doctor/findings.ts';
import { runDoctor } from '../../src/cli/doctor/run.ts';

/** What doctor prints about an environment, for people or as JSON, and its verdict. */
export async function print(env: Readonly<Record<string, string>>, isJson = false) {
  const stdout = new PassThrough();
  const status = await runDoctor({ isJson, color: false }, env, stdout);
  stdout.end();
  return { status, printed: await text(stdout) };
}

/** The findings; `of` tells `status message -> mend` of those of one check. */
export async function examine(env: Readonly<Record<string, string>>) {
  const { printed, status } = await print(env, true);
  const { findings } = JSON.parse(printed) as { readonly findings: readonly Finding[] };
  const of = (name: string) =>
    findings
      .filter(({ check }) => check === name)
      .map(({ mend, message, status }) => `${status} ${message}${mend === null ? '' : ` -> ${mend}`}`);
  return { status, findings, printed, of };
}
