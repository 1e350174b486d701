import { expect, test } from 'vitest';
import { addTask } from '../websocket/stored-tasks.ts';
import { TASK, TASKS, TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { startAttacked } from './bystander.ts';
import { DOORS, sse, sseGet, webSocket } from './doors.ts';

const ADA = 'Bearer key-of-ada-with-enough-characters';
const BEN = 'Bearer key-of-ben-with-enough-characters';
const ENV = { API_KEYS: 'ada:key-of-ada-with-enough-characters,ben:key-of-ben-with-enough-characters' };

/** A gateway of two owners, of whom ada is the bystander and has a task that ben is after. */
async function startTwoOwners() {
  const attacked = await startAttacked({ env: ENV, owner: 'ada', authorization: ADA });
  const task = await addTask(attacked.ports.store, { owner: 'ada', prompt: 'nobody else is to read this' });
  return { ...attacked, task, ben: { authorization: BEN } };
}

test("another owner's task is no task, by our id and by the provider's, on every door", async () => {
  const { ben, gateway, task, withstands } = await startTwoOwners();
  for (const door of DOORS)
    for (const id of [task.id, task.providerTaskId]) {
      const read = { query: TASK, variables: { id } };
      expect((await withstands(() => door.send(gateway.graphqlUrl, read, ben))).data).toEqual({ task: null });
    }
});

test("another owner's task is watched by nobody else, and the answer is that for an unknown one", async () => {
  const { ben, gateway, task, withstands } = await startTwoOwners();
  for (const door of [sse, sseGet, webSocket]) {
    const told = [];
    for (const id of [task.id, 'no-such-task']) {
      const watch = { query: TASK_UPDATED, variables: { id } };
      told.push(
        (await withstands(() => door.send(gateway.graphqlUrl, watch, ben))).text.replaceAll(id, 'id'),
      );
    }
    expect(told[0]).toContain('NOT_FOUND');
    expect(told[0]).toBe(told[1]);
  }
});

test("another owner's cursor opens nothing but one's own list", async () => {
  const { ben, gateway, ports, task, withstands } = await startTwoOwners();
  const { createdAt } = task;
  await addTask(ports.store, { owner: 'ada', createdAt: createdAt - 1000 });
  const own = await addTask(ports.store, { owner: 'ben', createdAt: createdAt - 2000 });
  const first = { query: TASKS, variables: { first: 1 } };
  const page = await webSocket.send(gateway.graphqlUrl, first, { authorization: ADA });
  const after = (page.data as { tasks: { pageInfo: { endCursor: string } } }).tasks.pageInfo.endCursor;
  for (const door of DOORS) {
    const next = { query: '{ tasks(after: "' + after + '") { edges { node { id } } } }' };
    const { data } = await withstands(() => door.send(gateway.graphqlUrl, next, ben));
    expect(data).toEqual({ tasks: { edges: [{ node: { id: own.id } }] } });
  }
});

test("another owner's changes are told to nobody else, also to those who ask for all since the beginning", async () => {
  const { ben, gateway, ports, withstands } = await startTwoOwners();
  const client = await openGraphqlWs(gateway.graphqlUrl, { headers: ben });
  const watch = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
  await withstands(() => client.subscribe({ query: '{ __typename }' }).data());
  const own = await addTask(ports.store, { owner: 'ben' });
  expect((await watch.data()).tasksUpdated.id).toBe(own.id);
});
