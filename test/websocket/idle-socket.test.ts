import { IncomingMessage } from 'node:http';
import { queryObjects } from 'node:v8';
import { expect, test } from 'vitest';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { eventually } from './eventually.ts';

const SOCKETS = 20;

/** How many there are in this process, after a collection of garbage. */
const requests = (): number => queryObjects(IncomingMessage, { format: 'count' });

test('sockets do not keep the requests that opened them: thousands of them stay open for hours', async () => {
  const gateway = await startGateway();
  const open = async (): Promise<void> => {
    const socket = await openGraphqlWs(gateway.graphqlUrl);
    socket.subscribe({ query: TASKS_UPDATED });
  };
  await open();
  const before = requests();
  for (let count = 0; count < SOCKETS; count += 1) await open();
  await eventually('all are followed', () => gateway.app.stats().listeners > SOCKETS);
  expect(requests() - before).toBeLessThan(SOCKETS / 2);
});
