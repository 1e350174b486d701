import { CREATE, INPUT } from '../client/documents.ts';
import { postRequest } from '../client/http-connection.ts';
import { openHttpLoad, type LoadResult } from '../client/http-load.ts';
import type { Subject } from '../subjects/subject.ts';
import { timed } from '../support/timed.ts';
import { graphqlPeers, usualNeeds, type Figures, type Scenario } from './scenario.ts';

const CONNECTIONS = 50;

export const httpMutation: Scenario = {
  name: 'http-mutation',
  title: '`createImageToVideo` over HTTP',
  figure: 'requests/s',
  better: 'more',
  notes: `${CONNECTIONS} kept-alive connections. Peers put a task into a map. Kineograph stores it, marks it, calls the provider over a connection of its own, which answers at once, stores the outcome and only then answers; all of it on disk. As many mutations as are measured warm up.`,
  cases: (size) => [
    {
      label: '',
      subjects: [...graphqlPeers(size), 'K'],
      needs: usualNeeds(size),
      measure: (subject) => measure(subject, size.isQuick ? 1000 : 3000),
    },
  ],
};

async function measure(subject: Subject, count: number): Promise<Figures> {
  const request = postRequest('/graphql', { query: CREATE, variables: { input: INPUT } }, subject.headers);
  const load = await openHttpLoad({
    port: subject.ports[0] ?? 0,
    connections: CONNECTIONS,
    request: () => request,
    check: ({ body, status }) => {
      if (status !== 200 || !body.includes('"state":"WAITING"'))
        throw new Error(`a mutation was answered with ${status}: ${body.slice(0, 300)}`);
    },
  });
  await load.run({ count });
  let result: LoadResult = { requests: 0, seconds: 1 };
  const { cores } = await timed(
    subject,
    60_000,
    () => 'the answers to all mutations',
    async () => {
      result = await load.run({ count });
    },
  );
  load.end();
  return { 'requests/s': result.requests / result.seconds, ...cores };
}
