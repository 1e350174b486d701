import { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import { type ApiTask, TASK, TASKS_UPDATED, TASK_UPDATED } from '../kit/documents.ts';
import type { Document } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { openSse } from '../kit/sse.ts';
import { eventually } from './eventually.ts';
import { sse, startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

/** 240 of them are more than the buffers between two sockets take. */
const LONG_PROMPT = 'a film '.repeat(10_000);
const TASKS = 240;

/** The same changes in small. */
const REVISIONS: Document<{ readonly tasksUpdated: Pick<ApiTask, 'id' | 'revision'> }> = /* GraphQL */ `
  subscription Revisions($after: SafeInt) {
    tasksUpdated(after: $after) {
      id
      revision
    }
  }
`;

describe('a subscriber over WebSocket that stops reading', () => {
  test('harms nobody, and when it reads again gets the newest state of every task, in order', async () => {
    const { gateway, held, store } = await startHeldGateway({ env: { SLOW_READER_MS: '600000' } });
    const tasks = await addTasks(store);
    const slow = await openGraphqlWs(gateway.graphqlUrl);
    const hold = held.holdRead('changesAfter');
    const seen: Pick<ApiTask, 'id' | 'revision'>[] = [];
    const watch = slow.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    await hold.reached;
    slow.pause();
    hold.release();

    const other = await openGraphqlWs(gateway.graphqlUrl);
    const othersWatch = other.subscribe({ query: REVISIONS, variables: { after: TASKS - 1 } });
    // By then it has caught up, and receives every change.
    expect((await othersWatch.data()).tasksUpdated.revision).toBe(TASKS);
    const changes = await changeAll(store, tasks, 10);
    const others: number[] = [];
    while (others.length < changes) others.push((await othersWatch.data()).tasksUpdated.revision);
    expect(others).toEqual(Array.from({ length: changes }, (_, index) => TASKS + 1 + index));

    slow.resume();
    const last = TASKS + changes;
    while (seen.at(-1)?.revision !== last) seen.push((await watch.data()).tasksUpdated);
    expectInOrder(seen);
    expect(new Map(seen.map(({ id, revision }) => [id, revision]))).toEqual(
      new Map(tasks.map(({ id, revision }) => [id, revision])),
    );
    expect(seen.length).toBeLessThan(TASKS + changes);
  });

  test('is not read from before it has taken its replies, and then gets all of them', async () => {
    const pause = vi.spyOn(WebSocket.prototype, 'pause');
    onTestFinished(() => {
      pause.mockRestore();
    });
    const env = { SLOW_READER_MS: '600000', MAX_OPERATIONS_PER_SECOND: '10000' };
    const { gateway, held, store } = await startHeldGateway({ env });
    const { id } = await addTask(store, { prompt: LONG_PROMPT.repeat(10) });
    const slow = await openGraphqlWs(gateway.graphqlUrl);
    slow.pause();
    const replies = [slow.subscribe({ query: TASK, variables: { id } }).data()];
    while (pause.mock.calls.length < 2) {
      replies.push(slow.subscribe({ query: TASK, variables: { id } }).data());
      await nextTurn();
    }
    const other = await openGraphqlWs(gateway.graphqlUrl);
    await other.subscribe({ query: TASK, variables: { id } }).data();
    const reads = held.reads('find');
    for (let count = 0; count < 10; count += 1)
      replies.push(slow.subscribe({ query: TASK, variables: { id } }).data());
    await other.subscribe({ query: TASK, variables: { id } }).data();
    expect(held.reads('find')).toBe(reads + 1);
    slow.resume();
    for (const { task } of await Promise.all(replies)) expect(task?.id).toBe(id);
  });

  test('is closed with 1013 when it takes nothing for SLOW_READER_MS, and nobody else is', async () => {
    const close = vi.spyOn(WebSocket.prototype, 'close');
    onTestFinished(() => {
      close.mockRestore();
    });
    const { gateway, held, store } = await startHeldGateway({ env: { SLOW_READER_MS: '100' } });
    const tasks = [...(await addTasks(store)), ...(await addTasks(store))];
    const idle = await openGraphqlWs(gateway.graphqlUrl);
    const other = await openGraphqlWs(gateway.graphqlUrl);
    const othersWatch = other.subscribe({ query: REVISIONS, variables: { after: tasks.at(-1)?.revision } });
    const slow = await openGraphqlWs(gateway.graphqlUrl);
    const hold = held.holdRead('changesAfter');
    slow.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } });
    await hold.reached;
    slow.pause();
    hold.release();
    // The close is behind all that waits, so the client cannot tell before it reads again.
    await eventually('the server closes a socket', () => close.mock.calls.some(([code]) => code === 1013));
    const reads = held.reads('changesAfter');

    slow.resume();
    expect((await slow.closed).code).toBe(1013);
    // Nothing was caught up with for a socket that was closing already.
    expect(held.reads('changesAfter') - reads).toBe(0);
    await eventually('its listener is gone', () => gateway.app.stats().listeners === 1);
    const changed = await addTask(store);
    expect((await othersWatch.data()).tasksUpdated.revision).toBe(changed.revision);
    await idle.subscribe({ query: '{ __typename }' }).data();
    expect(gateway.app.stats().sockets).toBe(2);
  });
});

describe('a subscriber over SSE that stops reading', () => {
  test('is not read for any more, and harms nobody', async () => {
    const { gateway, held, store } = await startHeldGateway();
    const tasks = [...(await addTasks(store)), ...(await addTasks(store))];
    const [first] = tasks;
    const hold = held.holdRead('changesAfter');
    const cut = await sse.begin(gateway.graphqlUrl, { query: TASKS_UPDATED, variables: { after: 0 } });
    await hold.reached;
    hold.release();

    const other = await openGraphqlWs(gateway.graphqlUrl);
    const watch = other.subscribe({
      query: TASK_UPDATED,
      variables: { id: first?.id, after: first?.revision },
    });
    await changeAll(store, tasks, 5);
    const newest = tasks[0]?.revision;
    let last = 0;
    while (last !== newest) last = (await watch.data()).taskUpdated.revision;
    // There are five pages at the least.
    expect(held.reads('changesAfter')).toBeLessThan(4);
    cut();
    await eventually('one listener is left', () => gateway.app.stats().listeners === 1);
  });
});

async function addTasks(store: TaskStore): Promise<VisibleRecord[]> {
  const added = await Promise.all(
    Array.from({ length: TASKS }, () => addTask(store, { prompt: LONG_PROMPT })),
  );
  return added.sort((a, b) => a.revision - b.revision);
}

/** Changes each of them so many times, updating the list; returns how many changes that made. */
async function changeAll(store: TaskStore, tasks: VisibleRecord[], times: number): Promise<number> {
  for (let round = 0; round < times; round += 1)
    await Promise.all(tasks.map(async (task, index) => (tasks[index] = await change(store, task))));
  return tasks.length * times;
}

function expectInOrder(seen: readonly { readonly revision: number }[]): void {
  const revisions = seen.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
}

/** Notes in which turn of the event loop each event of a stream is written. */
function watchTurns(): readonly number[] {
  const turns: number[] = [];
  let turn = 0;
  let immediate = setImmediate(function next() {
    turn += 1;
    immediate = setImmediate(next);
  });
  const { write } = ServerResponse.prototype;
  const spy = vi.spyOn(ServerResponse.prototype, 'write').mockImplementation(function (
    this: ServerResponse,
    ...args: unknown[]
  ) {
    if (String(args[0]).length > 100) turns.push(turn);
    return Reflect.apply(write, this, args) as boolean;
  });
  onTestFinished(() => {
    clearImmediate(immediate);
    spy.mockRestore();
  });
  return turns;
}

test('event streams that share nothing receive a change in slices, and other work runs in between', async () => {
  const { gateway, store } = await startHeldGateway();
  const streams = await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const fields = Array.from({ length: 12 }, (__, n) => `s${index}x${n}: timeline { state at source }`);
      return openSse(gateway.graphqlUrl, {
        query: `subscription { tasksUpdated { id ${fields.join(' ')} } }`,
      });
    }),
  );
  const turns = watchTurns();
  await addTask(store);
  await Promise.all(streams.map((stream) => stream.data()));
  expect(turns).toHaveLength(streams.length);
  const most = Math.max(...turns.map((turn) => turns.filter((other) => other === turn).length));
  expect(most).toBeLessThan(streams.length / 2);
});
