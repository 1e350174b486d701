import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import { warmUp, WARMED_UP } from '../client/warm-up.ts';
import type { Subject } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

/** Changes under way at a time: the next callback leaves when one has reached everybody. */
const WIDTH = 4;
const WARM_UP = 8;
const SPARE = 10;
const LIMIT_MS = 120_000;

export const fanOut: Scenario = {
  name: 'fan-out',
  title: 'Fan-out: `tasksUpdated`, each subscriber with its own `after`',
  figure: 'deliveries/s',
  better: 'more',
  notes: `Each callback moves another task, ${WIDTH} are under way at a time, and every subscriber gets every task: all deliveries are counted, none may be missing. ${WARMED_UP}; then ${WARM_UP} callbacks to all subscribers warm up.`,
  cases: (size) =>
    (size.isQuick ? [100, 1000] : [100, 1000, 5000, 10_000]).map((subscribers) => ({
      label: `${subscribers.toLocaleString('en')} subscribers`,
      subjects: everyone(size),
      needs: usualNeeds(size),
      measure: (subject) => measureFanOut(subject, subscribers, tasksFor(subscribers, size.isQuick)),
    })),
};

function tasksFor(subscribers: number, isQuick: boolean): number {
  return Math.max(isQuick ? 4 : 20, Math.ceil((isQuick ? 20_000 : 120_000) / subscribers));
}

export async function measureFanOut(subject: Subject, size: number, count: number): Promise<Figures> {
  const spare = subject.tasks.slice(0, SPARE);
  const warming = subject.tasks.slice(SPARE, SPARE + WARM_UP);
  const counted = subject.tasks.slice(SPARE + WARM_UP, SPARE + WARM_UP + count);
  const callers = await openCallers(subject, WIDTH);
  await warmUp(subject, callers);
  const audience = await openAudience(subject, size, callers, spare);
  const move = async (tasks: typeof counted) => {
    const deliveries = audience.expect(tasks);
    const { bytes, messages } = audience.subscribers;
    const result = await timed(subject, LIMIT_MS, deliveries.describe, () =>
      callers.move(tasks, 'success', {
        before: ({ number }) => {
          deliveries.sent(number);
        },
        until: ({ number }) => deliveries.delivered(number),
      }),
    );
    const sent = audience.subscribers;
    return { ...result, deliveries, size: (sent.bytes - bytes) / (sent.messages - messages) };
  };
  await move(warming);
  const { cores, deliveries, seconds, size: messageSize } = await move(counted);
  callers.end();
  audience.end();
  if (audience.subscribers.lost > 0)
    throw new Error(`a socket was lost: ${audience.subscribers.firstLoss ?? ''}`);
  return {
    'deliveries/s': deliveries.total / seconds,
    twice: deliveries.duplicates,
    'bytes/message': messageSize,
    ...cores,
  };
}
