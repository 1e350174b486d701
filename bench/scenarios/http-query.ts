import { TASK } from '../client/documents.ts';
import { postRequest } from '../client/http-connection.ts';
import { openHttpLoad, type LoadResult } from '../client/http-load.ts';
import type { Subject } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { everyone, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const CONNECTIONS = 50;

export const httpQuery: Scenario = {
  name: 'http-query',
  title: '`task(id)` over HTTP',
  figure: 'requests/s',
  better: 'more',
  notes: `${CONNECTIONS} kept-alive connections, each with one request at a time, over 100 tasks.`,
  cases: (size) => [
    {
      label: '',
      subjects: everyone(size),
      needs: usualNeeds(size),
      measure: (subject) => measure(subject, size.isQuick ? 1500 : 5000),
    },
  ],
};

async function measure(subject: Subject, ms: number): Promise<Figures> {
  const requests = subject.tasks
    .slice(0, 100)
    .map(({ id }) => postRequest('/graphql', { query: TASK, variables: { id } }, subject.headers));
  let next = 0;
  const load = await openHttpLoad({
    port: subject.ports[0] ?? 0,
    connections: CONNECTIONS,
    request: () => requests[(next += 1) % requests.length] ?? Buffer.alloc(0),
    check: ({ body, status }) => {
      if (status !== 200 || !body.includes('"state":"WAITING"'))
        throw new Error(`a query was answered with ${status}: ${body.slice(0, 300)}`);
    },
  });
  await load.run({ ms: ms / 2 });
  let result: LoadResult = { requests: 0, seconds: 1 };
  const { cores } = await timed(
    subject,
    ms + 30_000,
    () => 'the answers to all queries',
    async () => {
      result = await load.run({ ms });
    },
  );
  load.end();
  return { 'requests/s': result.requests / result.seconds, ...cores };
}
