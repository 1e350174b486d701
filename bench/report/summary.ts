import type { Sample } from '../run.ts';
import type { SubjectName } from '../subjects/subject.ts';
import { median } from '../support/statistics.ts';

/** Which figure of which measurements. */
export interface Choice {
  readonly scenario: string;
  /** All labels when not given. */
  readonly label?: string;
  readonly figure: string;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The figures of one subject, by round. */
export function figuresOf(
  samples: readonly Sample[],
  choice: Choice,
  subject: SubjectName,
): ReadonlyMap<number, number> {
  const fitting = samples.filter(
    ({ label, scenario, subject: name }) =>
      name === subject && scenario === choice.scenario && label === (choice.label ?? label),
  );
  return new Map(
    fitting.flatMap(({ figures, round }) => {
      const value = figures?.[choice.figure];
      return value === undefined ? [] : [[round, value] as const];
    }),
  );
}

/** null when nothing was measured. */
export function spreadOf(values: Iterable<number>): Spread | null {
  const all = [...values];
  if (all.length === 0) return null;
  return { median: median(all), min: Math.min(...all), max: Math.max(...all) };
}

/** The median of the ratios within each round: what the machine did between rounds does not count. */
export function ratioOf(
  samples: readonly Sample[],
  choice: Choice,
  subject: SubjectName,
  to: SubjectName,
): number | null {
  const others = figuresOf(samples, choice, to);
  const ratios = [...figuresOf(samples, choice, subject)].flatMap(([round, value]) => {
    const other = others.get(round);
    return other === undefined ? [] : [value / other];
  });
  return ratios.length === 0 ? null : median(ratios);
}
