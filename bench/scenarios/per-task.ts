import { openCallers, type Callers } from '../client/callers.ts';
import { createDeliveries, type Deliveries } from '../client/deliveries.ts';
import { TASK_UPDATED } from '../client/documents.ts';
import { subscribe } from '../client/subscribers.ts';
import { firstLetterOf } from '../client/task-message.ts';
import { welcomeAll } from '../client/welcome.ts';
import { MOVES, type Move, type Subject, type TaskRef } from '../subjects/subject.ts';
import { timed, type Timed } from '../support/timed.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const WIDTH = 50;
/** The last one counts. */
const SETS = 3;
const LIMIT_MS = 60_000;

export const perTask: Scenario = {
  name: 'per-task',
  title: 'One subscriber for each task: `taskUpdated`',
  figure: 'callbacks/s',
  better: 'more',
  notes: `As many sockets as tasks, ${WIDTH} callbacks at a time. Each task is moved three times: a move begins when everybody got the one before, and the last one also completes the subscription where the contract is kept (K). ${SETS - 1} sets of as many other tasks and sockets go the same way before, and warm up.`,
  cases: (size) => {
    const tasks = size.isQuick ? 500 : 2000;
    return [
      {
        label: `${tasks.toLocaleString('en')} tasks`,
        subjects: everyone(size),
        needs: usualNeeds(size),
        measure: (subject) => measure(subject, tasks),
      },
    ];
  },
};

async function measure(subject: Subject, size: number): Promise<Figures> {
  const callers = await openCallers(subject, WIDTH);
  const set = (number: number): Promise<Timed> =>
    moveSet(subject, callers, subject.tasks.slice(number * size, (number + 1) * size));
  for (let number = 1; number < SETS; number += 1) await set(number);
  const { cores, seconds } = await set(0);
  callers.end();
  return { 'callbacks/s': (MOVES.length * size) / seconds, ...cores };
}

async function moveSet(subject: Subject, callers: Callers, tasks: readonly TaskRef[]): Promise<Timed> {
  let current: Deliveries | null = null;
  const expect = (move: Move): Deliveries => {
    const state = firstLetterOf(move);
    const numbers = tasks.map(({ number }) => number);
    current = createDeliveries({ subscribers: 1, tasks: numbers, perTask: 1, state });
    return current;
  };
  const welcome = expect('waiting');
  const subscribers = await subscribe(
    subject,
    tasks.length,
    (subscriber) => [{ query: TASK_UPDATED, variables: { id: tasks[subscriber]?.id } }],
    (_subscriber, task, state) => current?.note(0, task, state),
  );
  await welcomeAll(welcome, tasks, callers);

  const moves = MOVES.map((move) => ({ move, calls: callers.prepare(tasks, move) }));
  const result = await timed(
    subject,
    LIMIT_MS,
    () => current?.describe() ?? '',
    async () => {
      for (const { calls, move } of moves) {
        const deliveries = expect(move);
        await callers.send(calls);
        await Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
      }
    },
  );
  subscribers.end();
  if (subscribers.lost > 0) throw new Error(`a socket was lost: ${subscribers.firstLoss ?? ''}`);
  return result;
}
