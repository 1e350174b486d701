import type { Sample } from '../run.ts';
import { shown, table } from './format.ts';
import { isReached, type Bound } from './goal.ts';
import { GOALS } from './goals.ts';
import { missesSection } from './misses-section.ts';

export function goalsSection(samples: readonly Sample[]): string {
  const measured = GOALS.map((goal) => ({ ...goal, value: goal.value(samples) }));
  const rows = measured.map(({ goal, must, unit, value, what }) => [
    what,
    value === null ? 'not measured' : `${shown(value)} ${unit}`,
    verdict(must, value),
    verdict(goal, value),
  ]);
  return [table(['', 'measured', 'must', 'goal'], rows), ...missesSection(measured)].join('\n\n');
}

function verdict(bound: Bound | null, value: number | null): string {
  if (!bound) return '';
  const sign = bound.at === 'least' ? '≥' : '≤';
  const wanted = `${sign} ${shown(bound.value)}`;
  if (value === null) return wanted;
  return `${wanted}: ${isReached(bound, value) ? 'reached' : '**not reached**'}`;
}
