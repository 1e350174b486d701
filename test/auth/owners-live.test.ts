import { describe, expect, it } from 'vitest';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import type { GraphqlOperation } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { openSse } from '../kit/sse.ts';
import { eventually } from '../websocket/eventually.ts';
import { addTask, change } from '../websocket/stored-tasks.ts';
import { ADA, BEN, startWithTwoOwners } from './owners.ts';

type Who = Readonly<Record<string, string>>;
type Ask = (url: string, who: Who, operation: GraphqlOperation<unknown>) => Promise<unknown>;

/** Everything that comes back at a door, word for word. */
const ANSWERS: readonly (readonly [door: string, ask: Ask])[] = [
  ['HTTP', (url, who, operation) => wordsOf(url, who, operation, 'application/json')],
  ['SSE', (url, who, operation) => wordsOf(url, who, operation, 'text/event-stream')],
  [
    'WebSocket',
    async (url, who, operation) => {
      const socket = await openGraphqlWs(url, { connectionParams: who });
      const asked = socket.subscribe(operation);
      await asked.completed().catch(() => asked.errors());
      return { messages: socket.messages };
    },
  ],
];

async function wordsOf(url: string, who: Who, operation: GraphqlOperation<unknown>, accept: string) {
  const headers = { ...who, accept, 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(operation) });
  const told = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  return { status: answer.status, told, text: await answer.text() };
}

describe.each(ANSWERS)("taskUpdated of another owner's task over %s", (_, answerTo) => {
  it.each([undefined, 0, 2])(
    'is answered exactly like that of an unknown task (after: %s)',
    async (after) => {
      const { bens, gateway } = await startWithTwoOwners();
      const ids = [bens.id, bens.providerTaskId ?? ''];
      for (const id of ids) {
        const never = id.replace(/[\da-f]{12}$/, '000000000000');
        const [there, nowhere] = await Promise.all(
          [id, never].map(async (one) => {
            const operation = { query: TASK_UPDATED, variables: { id: one, after } };
            const answer = await answerTo(gateway.graphqlUrl, ADA, operation);
            return JSON.stringify(answer).replaceAll(one, '<id>');
          }),
        );
        expect(there).toBe(nowhere);
        expect(there).not.toContain('Ben');
      }
    },
  );

  it('is NOT_FOUND, or refused by a transport without subscriptions', async () => {
    const { bens, gateway } = await startWithTwoOwners();
    const operation = { query: TASK_UPDATED, variables: { id: bens.id } };
    const answer = JSON.stringify(await answerTo(gateway.graphqlUrl, ADA, operation));
    expect(answer).toMatch(/NOT_FOUND|406|text\/event-stream/);
  });
});

describe('tasksUpdated', () => {
  it.each([undefined, 0])(
    'delivers the changes of its owner only, on both transports (after: %s)',
    async (after) => {
      const { adas, bens, gateway, store } = await startWithTwoOwners();
      const operation = { query: TASKS_UPDATED, variables: { after } };
      const socket = await openGraphqlWs(gateway.graphqlUrl, { connectionParams: ADA });
      const readers = [
        { stream: socket.subscribe(operation), own: adas },
        { stream: await openSse(gateway.graphqlUrl, operation, { headers: ADA }), own: adas },
        { stream: await openSse(gateway.graphqlUrl, operation, { headers: BEN }), own: bens },
      ];
      await eventually('all three listen', () => gateway.app.stats().listeners === 3);
      if (after === 0)
        for (const { own, stream } of readers)
          expect((await stream.data()).tasksUpdated).toMatchObject({ id: own.id, state: 'WAITING' });

      await change(store, bens, { state: 'GENERATING' });
      await change(store, adas, { state: 'GENERATING' });
      for (const { own, stream } of readers)
        expect((await stream.data()).tasksUpdated).toMatchObject({ id: own.id, state: 'GENERATING' });
      await addTask(store, { owner: 'ben', prompt: 'once more' });
      expect((await readers[2]?.stream.data())?.tasksUpdated.prompt).toBe('once more');
    },
  );
});
