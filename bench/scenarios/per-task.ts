import { openCallers, type Callers } from '../client/callers.ts';
import { createDeliveries, type Deliveries } from '../client/deliveries.ts';
import { TASK_UPDATED } from '../client/documents.ts';
import { subscribe } from '../client/subscribers.ts';
import { firstLetterOf } from '../client/task-message.ts';
import type { Move, Subject, TaskRef } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { welcomeAll } from '../client/welcome.ts';
import { EVERYONE, type Figures, type Scenario } from './scenario.ts';

const WIDTH = 16;
const LIMIT_MS = 60_000;
const MOVES: readonly Move[] = ['queuing', 'generating', 'success'];

export const perTask: Scenario = {
  name: 'per-task',
  title: 'One subscriber for each task: `taskUpdated`',
  figure: 'callbacks/s',
  better: 'more',
  notes: `As many sockets as tasks, ${WIDTH} callbacks at a time. Each task is moved three times; the first time warms up. A move begins when everybody got the one before, and the last one also completes the subscription where the contract is kept (K).`,
  cases: ({ isQuick }) => {
    const tasks = isQuick ? 1000 : 2000;
    return [
      {
        label: `${tasks.toLocaleString('en')} tasks`,
        subjects: EVERYONE,
        needs: { tasks: isQuick ? 1500 : 3000 },
        measure: (subject) => measure(subject, subject.tasks.slice(0, tasks)),
      },
    ];
  },
};

async function measure(subject: Subject, tasks: readonly TaskRef[]): Promise<Figures> {
  let current: Deliveries | null = null;
  const expect = (move: Move): Deliveries => {
    const state = firstLetterOf(move);
    const numbers = tasks.map(({ number }) => number);
    current = createDeliveries({ subscribers: 1, tasks: numbers, perTask: 1, state });
    return current;
  };
  const callers = await openCallers(subject, WIDTH);
  const welcome = expect('waiting');
  const subscribers = await subscribe(
    subject,
    tasks.length,
    (subscriber) => [{ query: TASK_UPDATED, variables: { id: tasks[subscriber]?.id } }],
    (_subscriber, task, state) => current?.note(0, task, state),
  );
  await welcomeAll(welcome, tasks, callers);

  let seconds = 0;
  let cores = {};
  for (const move of MOVES) {
    const deliveries = expect(move);
    const result = await timed(subject, LIMIT_MS, deliveries.describe, () =>
      moveAll(callers, tasks, move, deliveries),
    );
    if (move === MOVES[0]) continue;
    seconds += result.seconds;
    cores = result.cores;
  }
  callers.end();
  subscribers.end();
  if (subscribers.lost > 0) throw new Error(`a socket was lost: ${subscribers.firstLoss ?? ''}`);
  return { 'callbacks/s': ((MOVES.length - 1) * tasks.length) / seconds, ...cores };
}

async function moveAll(
  callers: Callers,
  tasks: readonly TaskRef[],
  move: Move,
  deliveries: Deliveries,
): Promise<void> {
  await callers.move(tasks, move);
  await Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
}
