import { expect, test } from 'vitest';
import { TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { openSse } from '../kit/sse.ts';
import { eventually } from './eventually.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

test('a restart of the feed closes every socket with 1012 and cuts every event stream, and who comes back is told the next change once', async () => {
  const { gateway, ports, store } = await startHeldGateway();
  const task = await addTask(store);
  const sockets = await Promise.all(Array.from({ length: 150 }, () => openGraphqlWs(gateway.graphqlUrl)));
  const [first] = sockets;
  const watch = first?.subscribe({ query: TASK_UPDATED, variables: { id: task.id } });
  await watch?.data();
  const stream = await openSse(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
  await stream.next();

  ports.feed.restart();
  for (const { closed } of sockets) expect(await closed).toEqual({ code: 1012, reason: 'Subscribe again' });
  // Not an end: clients do not come back after one.
  await expect(stream.next()).rejects.toThrow();
  await eventually('nobody of before listens', () => gateway.app.stats().listeners === 0);
  expect(first?.messages.filter(({ type }) => type === 'error' || type === 'complete')).toEqual([]);

  const again = await openGraphqlWs(gateway.graphqlUrl);
  const variables = { after: task.revision };
  const all = again.subscribe({ query: TASKS_UPDATED, variables }, 'all');
  const { revision } = await change(store, task);
  expect((await all.data()).tasksUpdated.revision).toBe(revision);
  again.send({ type: 'ping' });
  await again.message(({ type }) => type === 'pong');
  expect(again.messages.filter(({ id }) => id === 'all')).toHaveLength(1);
});
