import { setTimeout as delay } from 'node:timers/promises';
import { openAudience } from '../client/audience.ts';
import { openCallers } from '../client/callers.ts';
import { CREATE, INPUT, TASK, TASKS_UPDATED } from '../client/documents.ts';
import { postRequest } from '../client/http-connection.ts';
import { openHttpLoad, type OpenLoad } from '../client/http-load.ts';
import { subscribe } from '../client/subscribers.ts';
import type { Subject } from '../subjects/subject.ts';
import { residentKiB } from '../support/processes.ts';
import { median } from '../support/statistics.ts';
import { timed } from '../support/timed.ts';
import { usualNeeds, type Figures, type Scenario } from './scenario.ts';

const STAYING = 200;
const SPARE = 10;
/** In each turn: so many callbacks, mutations and queries, and so many subscribers who come and go. */
const TURN_MS = 500;
const CALLBACKS = 10;
const MUTATIONS = 5;
const QUERIES = 100;
const VISITORS = 20;

export const sustained: Scenario = {
  name: 'sustained',
  title: 'Mixed load for two minutes',
  figure: 'MB at the end / after a third',
  better: 'less',
  notes: `Twice a second: ${CALLBACKS} callbacks, ${MUTATIONS} mutations, ${QUERIES} queries, and ${VISITORS} subscribers who come and go, beside ${STAYING} who stay and miss nothing. Resident memory, medians over the middle and the last third.`,
  cases: (size) => [
    {
      label: '',
      subjects: ['K'],
      needs: usualNeeds(size),
      measure: (subject) => measure(subject, size.isQuick ? 12 : 240),
    },
  ],
};

async function measure(subject: Subject, turns: number): Promise<Figures> {
  const callers = await openCallers(subject, CALLBACKS);
  const audience = await openAudience(subject, STAYING, callers, subject.tasks.slice(0, SPARE));
  const tasks = subject.tasks.slice(SPARE, SPARE + turns * CALLBACKS);
  const deliveries = audience.expect(tasks);
  const mutations = await openLoad(subject, { query: CREATE, variables: { input: INPUT } });
  const queries = await openLoad(subject, { query: TASK, variables: { id: subject.tasks[0]?.id } });
  const resident: number[] = [];

  const turn = async (number: number): Promise<void> => {
    const moved = tasks.slice(number * CALLBACKS, (number + 1) * CALLBACKS);
    const visit = async (): Promise<void> => {
      // With `after` each would have all turns so far to catch up on, which becomes the load itself.
      const query = [{ query: TASKS_UPDATED, variables: {} }];
      const visitors = await subscribe(
        subject,
        VISITORS,
        () => query,
        () => undefined,
      );
      visitors.end();
    };
    await Promise.all([
      callers.move(moved, 'success'),
      mutations.run({ count: MUTATIONS }),
      queries.run({ count: QUERIES }),
      visit(),
      delay(TURN_MS),
    ]);
    resident.push(subject.pids.reduce((sum, pid) => sum + residentKiB(pid), 0));
  };
  const { cores, seconds } = await timed(subject, turns * TURN_MS * 10, deliveries.describe, async () => {
    for (let number = 0; number < turns; number += 1) await turn(number);
    await Promise.all(tasks.map(({ number }) => deliveries.delivered(number)));
  });
  for (const part of [callers, audience, mutations, queries]) part.end();
  const third = Math.floor(turns / 3);
  const middle = median(resident.slice(third, 2 * third));
  const last = median(resident.slice(2 * third));
  return {
    'MB at the end / after a third': last / middle,
    'MB after a third': (middle * 1.024) / 1000,
    'MB at the end': (last * 1.024) / 1000,
    seconds,
    ...cores,
  };
}

function openLoad({ headers, ports }: Subject, body: unknown): Promise<OpenLoad> {
  const request = postRequest('/graphql', body, headers);
  return openHttpLoad({
    port: ports[0] ?? 0,
    connections: 5,
    request: () => request,
    check: ({ status }) => {
      if (status !== 200) throw new Error(`a request was answered with ${status}`);
    },
  });
}
