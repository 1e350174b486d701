import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import type { Subject } from '../subjects/subject.ts';
import { settledMemory } from '../support/settled-memory.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const WARM_UP = 500;
const SPARE = 10;

export const memory: Scenario = {
  name: 'memory',
  title: 'Resident memory for each idle subscription',
  figure: 'KB each',
  better: 'less',
  notes:
    'A socket for each subscription of `tasksUpdated`. 500 others came, got a change and left before; then resident memory is read when it stands still, before and after. No garbage is collected by force, so part of the figure is heap that was grown and not given back.',
  cases: (size) => {
    const subscribers = size.isQuick ? 2000 : 5000;
    return [
      {
        label: `${subscribers.toLocaleString('en')} subscriptions`,
        subjects: everyone(size),
        needs: usualNeeds(size),
        measure: (subject) => measure(subject, subscribers),
      },
    ];
  },
};

async function measure(subject: Subject, size: number): Promise<Figures> {
  const callers = await openCallers(subject, 1);
  const warm = await openAudience(subject, WARM_UP, callers, subject.tasks.slice(0, SPARE));
  warm.end();
  const before = await settledMemory(subject);
  const audience = await openAudience(subject, size, callers, subject.tasks.slice(SPARE, 2 * SPARE));
  const after = await settledMemory(subject);
  callers.end();
  audience.end();
  return { 'KB each': ((after - before) * 1.024) / size, 'MB before': (before * 1.024) / 1000 };
}
