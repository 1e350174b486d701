import { setTimeout as delay } from 'node:timers/promises';
import { openAudience, type Audience } from '../client/audience.ts';
import { openCallers, type Callers } from '../client/callers.ts';
import { warmUp, WARMED_UP } from '../client/warm-up.ts';
import { percentile } from '../support/statistics.ts';
import type { Subject, TaskRef } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const SUBSCRIBERS = 1000;
const EVERY_MS = 100;
const WARM_UP = 20;
const SPARE = 10;

export const latency: Scenario = {
  name: 'latency',
  title: 'Latency at 10,000 deliveries/s',
  figure: 'p50 ms',
  better: 'less',
  notes: `A callback every 100 ms to 1,000 subscribers of \`tasksUpdated\`, sent whether or not the one before has arrived; from the moment it leaves to each delivery. A server that does less than 10,000 deliveries/s falls behind, and it shows. ${WARMED_UP}; then ${WARM_UP} callbacks at the same pace warm up.`,
  cases: (size) => [
    {
      label: '1,000 subscribers',
      subjects: everyone(size),
      needs: usualNeeds(size),
      measure: (subject) => measure(subject, size.isQuick ? 20 : 100),
    },
  ],
};

async function measure(subject: Subject, count: number): Promise<Figures> {
  const callers = await openCallers(subject, 8);
  await warmUp(subject, callers);
  const audience = await openAudience(subject, SUBSCRIBERS, callers, subject.tasks.slice(0, SPARE));
  const first = SPARE + WARM_UP;
  await pace(subject, audience, callers, subject.tasks.slice(SPARE, first));
  const { cores, sorted } = await pace(subject, audience, callers, subject.tasks.slice(first, first + count));
  callers.end();
  audience.end();
  return { 'p50 ms': percentile(sorted, 0.5), 'p99 ms': percentile(sorted, 0.99), ...cores };
}

async function pace(subject: Subject, audience: Audience, callers: Callers, tasks: readonly TaskRef[]) {
  const deliveries = audience.expect(tasks);
  const before = ({ number }: TaskRef): void => {
    deliveries.sent(number);
  };
  const until = ({ number }: TaskRef): Promise<void> => deliveries.delivered(number);
  const { cores } = await timed(subject, 60_000, deliveries.describe, async () => {
    const start = performance.now();
    const underWay: Promise<void>[] = [];
    for (const [place, task] of tasks.entries()) {
      await delay(Math.max(0, start + place * EVERY_MS - performance.now()));
      underWay.push(callers.move([task], 'success', { before, until }));
    }
    await Promise.all(underWay);
  });
  return { cores, sorted: deliveries.latencies() };
}
