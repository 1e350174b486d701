import { openCallers } from '../client/callers.ts';
import { createDeliveries, type Deliveries } from '../client/deliveries.ts';
import { TASK_UPDATED } from '../client/documents.ts';
import { subscribe } from '../client/subscribers.ts';
import { firstLetterOf } from '../client/task-message.ts';
import { warmUp, WARMED_UP } from '../client/warm-up.ts';
import { welcomeAll } from '../client/welcome.ts';
import { MOVES, type Move, type Subject, type TaskRef } from '../subjects/subject.ts';
import { median } from '../support/statistics.ts';
import { within } from '../support/within.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

/** Connections: one change is under way at a time, but those that warm up are many. */
const WIDTH = 4;

export const oneTask: Scenario = {
  name: 'one-task',
  title: 'One task with many watchers: `taskUpdated`',
  figure: 'last hop ms',
  better: 'less',
  notes: `From the callback to the last watcher, one change after the other: three changes of each of several tasks, which every socket watches. ${WARMED_UP}; then the first task warms up.`,
  cases: (size) => {
    const watchers = size.isQuick ? 1000 : 5000;
    return [
      {
        label: `${watchers.toLocaleString('en')} watchers`,
        subjects: everyone(size),
        needs: usualNeeds(size),
        measure: (subject) => measure(subject, watchers, subject.tasks.slice(0, size.isQuick ? 2 : 4)),
      },
    ];
  },
};

async function measure(subject: Subject, watchers: number, tasks: readonly TaskRef[]): Promise<Figures> {
  let current: Deliveries | null = null;
  const expect = (counted: readonly TaskRef[], move: Move): Deliveries => {
    current = createDeliveries({
      subscribers: watchers,
      tasks: counted.map(({ number }) => number),
      perTask: watchers,
      state: firstLetterOf(move),
    });
    return current;
  };
  const callers = await openCallers(subject, WIDTH);
  await warmUp(subject, callers);
  const welcome = expect(tasks, 'waiting');
  const subscribers = await subscribe(
    subject,
    watchers,
    () => tasks.map(({ id }) => ({ query: TASK_UPDATED, variables: { id } })),
    (subscriber, task, state) => current?.note(subscriber, task, state),
  );
  await welcomeAll(welcome, tasks, callers);

  const hops: number[] = [];
  for (const task of tasks) {
    for (const move of MOVES) {
      const deliveries = expect([task], move);
      const moved = callers.move([task], move, {
        before: ({ number }) => {
          deliveries.sent(number);
        },
        until: ({ number }) => deliveries.delivered(number),
      });
      await within(30_000, deliveries.describe, moved);
      if (task !== tasks[0]) hops.push(...deliveries.lastHops());
    }
  }
  callers.end();
  subscribers.end();
  return { 'last hop ms': median(hops), 'slowest ms': Math.max(...hops) };
}
