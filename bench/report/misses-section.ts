import { FINDINGS } from './findings.ts';
import { isReached, type Bound, type Measured } from './goal.ts';
import type { Topic } from './topic.ts';

/** What was not reached, by how much, and what is known of it; nothing when all was reached. */
export function missesSection(goals: readonly Measured[]): string[] {
  const topics = [...new Set(goals.map(({ what }) => what))];
  const items = topics.flatMap((topic) => {
    const misses = goals.filter(({ what }) => what === topic).flatMap(missesOf);
    return misses.length === 0 ? [] : [`- **${topic}**: ${misses.join(', ')}. ${told(topic)}`.trimEnd()];
  });
  return items.length === 0 ? [] : ['What was not reached:', items.join('\n')];
}

function missesOf({ goal, must, unit, value }: Measured): string[] {
  if (value === null) return [];
  return [...missOf('must', must, value, unit), ...missOf('goal', goal, value, unit)];
}

function missOf(name: string, bound: Bound | null, value: number, unit: string): string[] {
  if (!bound || isReached(bound, value)) return [];
  const percent = Number(Math.abs(100 * (1 - value / bound.value)).toPrecision(2));
  const way = bound.at === 'least' ? 'short of' : 'above';
  return [`${percent} % ${way} the ${name} (${unit})`];
}

function told(topic: Topic): string {
  const finding = FINDINGS[topic];
  return finding ? `${finding.profile} ${finding.tried}` : '';
}
