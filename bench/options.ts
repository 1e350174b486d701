import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { ROOT } from './support/processes.ts';

export interface Options {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
  /** Who is measured, where a scenario has them; everybody when null. */
  readonly subjects: readonly string[] | null;
  /** Where the raw figures go. */
  readonly json: string | null;
  /** Where the CPU profiles of gateways go. */
  readonly profiles: string | null;
  /** Where the report goes: only for a full run without profiles, or when asked for. */
  readonly report: string | null;
}

export const USAGE = `Usage: npm run bench -- [options]
  --quick          fewer sizes and peers, one round, less than five minutes
  --only a,b       scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}; "http" stands for all that begin so;
                   may be given several times
  --subjects A,K   only these (A, B, C, D, K, …)
  --rounds N       alternating rounds (3; 1 with --quick)
  --profile DIR    write a CPU profile of each Kineograph process that is measured, named after the measurement;
                   profiling makes it slower, and SIGTERM ends it
  --json FILE      write every single figure as JSON
  --report FILE    write the report there (a full run: docs/performance.md)
`;

/** Files are named as seen from `directory`. Throws an error that says what is wrong. */
export function parseOptions(argv: readonly string[], directory: string): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      subjects: { type: 'string' },
      rounds: { type: 'string' },
      profile: { type: 'string' },
      json: { type: 'string' },
      report: { type: 'string' },
    },
  });
  const { json, only, profile, quick: isQuick, subjects } = values;
  const rounds = Number(values.rounds ?? (isQuick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) throw new Error('--rounds takes 1 to 20');
  const isFull = only === undefined && subjects === undefined && profile === undefined && !isQuick;
  const page = isFull ? `${ROOT}docs/performance.md` : null;
  return {
    isQuick,
    rounds,
    scenarios: chosen(only),
    subjects: subjects?.split(',') ?? null,
    json: json === undefined ? null : resolve(directory, json),
    profiles: profile === undefined ? null : resolve(directory, profile),
    report: values.report === undefined ? page : resolve(directory, values.report),
  };
}

function chosen(only: readonly string[] | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  const names = only.flatMap((list) => list.split(','));
  const fits = (name: string, scenario: Scenario): boolean =>
    scenario.name === name || scenario.name.startsWith(`${name}-`);
  const stranger = names.find((name) => !SCENARIOS.some((scenario) => fits(name, scenario)));
  if (stranger !== undefined) throw new Error(`there is no scenario "${stranger}"`);
  return SCENARIOS.filter((scenario) => names.some((name) => fits(name, scenario)));
}
