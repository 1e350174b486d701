import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import { createDeliveries } from '../client/deliveries.ts';
import { SUCCESS } from '../client/task-message.ts';
import type { Subject, SubjectName } from '../subjects/subject.ts';
import { residentKiB } from '../support/processes.ts';
import { timed } from '../support/timed.ts';
import { GRAPHQL_PEERS, type Case, type Figures, type Scenario } from './scenario.ts';

const READERS = 100;
const SPARE = 10;
/** Three bytes each, so that every message has some 5 kB and the kernel's own buffers are soon full. */
const PROMPT = '雪'.repeat(1500);
const LIMIT_MS = 90_000;

export const stalled: Scenario = {
  name: 'stalled',
  title: 'Subscribers that stop reading',
  figure: 'deliveries/s to the others',
  better: 'more',
  notes: `${READERS} subscribers of \`tasksUpdated\` read, the others stop; messages of 5 kB. All deliveries to the readers count. Memory is what the server grew by meanwhile. Then the others read again, and the newest state of every task has to reach each of them.`,
  cases: ({ isQuick }) => [
    row(1, [...GRAPHQL_PEERS, 'K'], isQuick ? 2400 : 5000),
    // What one socket holds in the kernel, a thousand hold a thousand times.
    row(isQuick ? 200 : 1000, ['K'], isQuick ? 300 : 600),
  ],
};

function row(stopped: number, subjects: readonly SubjectName[], tasks: number): Case {
  return {
    label: `${stopped.toLocaleString('en')} stopped`,
    subjects,
    needs: { tasks: tasks + SPARE, revisions: READERS, prompt: PROMPT },
    measure: (subject) => measure(subject, stopped),
  };
}

async function measure(subject: Subject, stopped: number): Promise<Figures> {
  const callers = await openCallers(subject, 4);
  const size = READERS + stopped;
  const audience = await openAudience(subject, size, callers, subject.tasks.slice(0, SPARE));
  const { sockets } = audience.subscribers;
  const tasks = subject.tasks.slice(SPARE);
  const numbers = tasks.map(({ number }) => number);
  const late = createDeliveries({ subscribers: size, tasks: numbers, perTask: stopped, state: SUCCESS });
  const deliveries = audience.expect(tasks, READERS, late.note);
  const memory = (): number => subject.pids.reduce((sum, pid) => sum + residentKiB(pid), 0);

  const whatCame = (): string =>
    `to those who read again ${late.describe()}, ${audience.subscribers.lost} sockets closed`;

  for (const socket of sockets.slice(READERS)) socket.pause();
  const before = memory();
  const { seconds } = await timed(subject, LIMIT_MS, deliveries.describe, () =>
    callers.move(tasks, 'success', { until: ({ number }) => deliveries.delivered(number) }),
  );
  const after = memory();
  for (const socket of sockets.slice(READERS)) socket.resume();
  const caughtUp = await timed(subject, LIMIT_MS, whatCame, () =>
    Promise.race([
      Promise.all(numbers.map((number) => late.delivered(number))),
      audience.subscribers.whenLost.then((reason) => {
        throw new Error(`a socket was closed (${reason}); ${whatCame()}`);
      }),
    ]),
  );
  callers.end();
  audience.end();
  return {
    'deliveries/s to the others': deliveries.total / seconds,
    'MB grown': ((after - before) * 1.024) / 1000,
    'seconds to catch up': caughtUp.seconds,
    'sockets closed': audience.subscribers.lost,
  };
}
