import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import type { Subject, TaskRef } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { EVERYONE, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const SUBSCRIBERS = 1000;
const BURST = 50;
const SPARE = 10;
const LIMIT_MS = 60_000;

export const bursts: Scenario = {
  name: 'bursts',
  title: 'Callbacks in bursts',
  figure: 'deliveries/s',
  better: 'more',
  notes: `${BURST} callbacks at once on as many connections, to 1,000 subscribers of \`tasksUpdated\`; the next burst follows when everybody has everything. The first burst warms up.`,
  cases: (size) => [
    {
      label: `${BURST} at once`,
      subjects: EVERYONE,
      needs: usualNeeds(size),
      measure: (subject) => measure(subject, size.isQuick ? 1 : 3),
    },
  ],
};

async function measure(subject: Subject, count: number): Promise<Figures> {
  const callers = await openCallers(subject, BURST);
  const audience = await openAudience(subject, SUBSCRIBERS, callers, subject.tasks.slice(0, SPARE));
  const burst = async (tasks: readonly TaskRef[]) => {
    const deliveries = audience.expect(tasks);
    const result = await timed(subject, LIMIT_MS, deliveries.describe, async () => {
      await callers.move(tasks, 'success');
      await Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
    });
    return { ...result, twice: deliveries.duplicates };
  };
  let seconds = 0;
  let twice = 0;
  for (let number = 0; number <= count; number += 1) {
    const first = SPARE + number * BURST;
    const result = await burst(subject.tasks.slice(first, first + BURST));
    if (number === 0) continue;
    seconds += result.seconds;
    twice += result.twice;
  }
  callers.end();
  audience.end();
  return { 'deliveries/s': (count * BURST * SUBSCRIBERS) / seconds, twice };
}
