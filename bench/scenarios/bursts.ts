import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import { warmUp, WARMED_UP } from '../client/warm-up.ts';
import type { Subject, TaskRef } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const BURST = 50;
const WARM_UP = 2;
const SPARE = 10;
const LIMIT_MS = 60_000;

export const bursts: Scenario = {
  name: 'bursts',
  title: 'Callbacks in bursts',
  figure: 'deliveries/s',
  better: 'more',
  notes: `${BURST} callbacks at once on as many connections, to all subscribers of \`tasksUpdated\`; the next burst follows when everybody has everything. ${WARMED_UP}; then ${WARM_UP} bursts to all subscribers warm up.`,
  cases: (size) => {
    const subscribers = size.isQuick ? 500 : 1000;
    return [
      {
        label: `${BURST} at once, ${subscribers.toLocaleString('en')} subscribers`,
        subjects: everyone(size),
        needs: usualNeeds(size),
        measure: (subject) => measure(subject, subscribers, size.isQuick ? 1 : 3),
      },
    ];
  },
};

async function measure(subject: Subject, size: number, count: number): Promise<Figures> {
  const callers = await openCallers(subject, BURST);
  await warmUp(subject, callers);
  const audience = await openAudience(subject, size, callers, subject.tasks.slice(0, SPARE));
  const burst = async (tasks: readonly TaskRef[]) => {
    const deliveries = audience.expect(tasks);
    const calls = callers.prepare(tasks, 'success');
    const result = await timed(subject, LIMIT_MS, deliveries.describe, async () => {
      await callers.send(calls);
      await Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
    });
    return { ...result, twice: deliveries.duplicates };
  };
  let seconds = 0;
  let twice = 0;
  for (let number = 0; number < WARM_UP + count; number += 1) {
    const first = SPARE + number * BURST;
    const result = await burst(subject.tasks.slice(first, first + BURST));
    if (number < WARM_UP) continue;
    seconds += result.seconds;
    twice += result.twice;
  }
  callers.end();
  audience.end();
  return { 'deliveries/s': (count * BURST * size) / seconds, twice };
}
