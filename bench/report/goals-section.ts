import type { Sample } from '../run.ts';
import { shown, table } from './format.ts';
import { isReached, type Bound } from './goal.ts';
import { GOALS } from './goals.ts';

export function goalsSection(samples: readonly Sample[]): string {
  const rows = GOALS.map(({ goal, must, unit, value, what }) => {
    const reached = value(samples);
    const measured = reached === null ? 'not measured' : `${shown(reached)} ${unit}`;
    return [what, measured, verdict(must, reached), verdict(goal, reached)];
  });
  return table(['', 'measured', 'must', 'goal'], rows);
}

function verdict(bound: Bound | null, value: number | null): string {
  if (!bound) return '';
  const sign = bound.at === 'least' ? '≥' : '≤';
  const wanted = `${sign} ${shown(bound.value)}`;
  if (value === null) return wanted;
  return `${wanted}: ${isReached(bound, value) ? 'reached' : '**not reached**'}`;
}
