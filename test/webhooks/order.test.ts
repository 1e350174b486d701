import { describe, expect, test } from 'vitest';
import { TASKS_UPDATED } from '../kit/documents.ts';
import { deferred } from '../kit/waits.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import {
  created,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
  type KieCallback,
} from '../kit/kie.ts';
import { readTask, startWithProvider, startWithTask, submit, watchTask } from './called-back.ts';

/** A callback with an intermediate state, which kie.ai sends for some models. */
function progress(taskId: string, state: string): KieCallback {
  return callbackSuccess(taskId, { state, resultJson: null, consumeCredits: null });
}

/** Delivers a signed callback, which must be taken. */
async function deliver(url: string, body: KieCallback): Promise<void> {
  const answer = await deliverCallback(url, body, sign(HMAC_KEY, String(body.data['taskId'])));
  expect(answer.status).toBe(200);
}

test('signed callbacks move a task at once, through every state that they tell', async () => {
  const { callback, gateway, task } = await startWithTask();
  const watch = await watchTask(gateway, task.id);
  const states = [await watch.next()];
  for (const state of ['queuing', 'generating']) {
    await deliver(callback, progress('kie-1', state));
    states.push(await watch.next());
  }
  await deliver(callback, callbackSuccess('kie-1'));
  states.push(await watch.next());
  await watch.completed();

  expect(states.map(({ state }) => state)).toEqual(['WAITING', 'QUEUING', 'GENERATING', 'SUCCESS']);
  const revisions = states.map(({ revision }) => revision);
  expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
});

describe('a callback that says nothing new is taken and changes nothing:', () => {
  test.each<readonly [what: string, first: KieCallback, second: KieCallback]>([
    ['an intermediate state twice', progress('kie-1', 'generating'), progress('kie-1', 'generating')],
    ['an earlier state after a later one', progress('kie-1', 'generating'), progress('kie-1', 'queuing')],
    ['waiting, as the task does already', progress('kie-1', 'waiting'), progress('kie-1', 'waiting')],
    ['a success twice', callbackSuccess('kie-1'), callbackSuccess('kie-1')],
    ['another success', callbackSuccess('kie-1'), callbackSuccess('kie-1', { resultJson: '{}' })],
    ['an intermediate state after the success', callbackSuccess('kie-1'), progress('kie-1', 'generating')],
    ['a failure after the success', callbackSuccess('kie-1'), callbackFail('kie-1')],
    ['a success after the failure', callbackFail('kie-1'), callbackSuccess('kie-1')],
    ['a failure twice', callbackFail('kie-1'), callbackFail('kie-1', { failCode: '422' })],
  ])('%s', async (_what, first, second) => {
    const { callback, gateway, provider, task } = await startWithTask();
    await deliver(callback, first);
    const before = await readTask(gateway, task.id);
    const next = await nextChange(gateway, before.revision);

    await deliver(callback, second);
    expect(await readTask(gateway, task.id)).toEqual(before);
    // Nothing was published either: the next change is the next task's.
    provider.answer('createTask', created('kie-2'));
    const other = await submit(gateway);
    expect((await next()).id).toBe(other.id);
  });
});

test('the same callback many times at once makes one change', async () => {
  const { callback, gateway, provider, task } = await startWithTask();
  const next = await nextChange(gateway, task.revision);
  await Promise.all(Array.from({ length: 8 }, () => deliver(callback, callbackSuccess('kie-1'))));
  const ended = await next();
  expect(ended).toMatchObject({ id: task.id, state: 'SUCCESS' });

  provider.answer('createTask', created('kie-2'));
  const other = await submit(gateway);
  expect((await next()).id).toBe(other.id);
  expect(other.revision).toBe(ended.revision + 1);
});

test('callbacks that contradict each other, all at once, leave one end, and all are taken', async () => {
  const { callback, gateway, task } = await startWithTask();
  const bodies = [
    callbackSuccess('kie-1'),
    callbackFail('kie-1'),
    progress('kie-1', 'queuing'),
    progress('kie-1', 'generating'),
  ];
  await Promise.all([...bodies, ...bodies].map((body) => deliver(callback, body)));
  const ended = await readTask(gateway, task.id);
  expect(['SUCCESS', 'FAIL']).toContain(ended.state);
  expect(ended.failure === null).toBe(ended.state === 'SUCCESS');
  expect(ended.videos.length > 0).toBe(ended.state === 'SUCCESS');
});

describe('a callback that comes before the answer to the create call', () => {
  test.each([
    ['a success', callbackSuccess('kie-1'), { state: 'SUCCESS', creditsConsumed: 57 }],
    ['a failure', callbackFail('kie-1'), { state: 'FAIL', failure: { code: 'SERVER_ERROR' } }],
    ['an intermediate state', progress('kie-1', 'generating'), { state: 'GENERATING', failure: null }],
  ])('adopts the task and answers the mutation: %s', async (_what, body, expected) => {
    const { gateway, provider } = await startWithProvider();
    const answer = deferred('the create call to be answered');
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const mutation = submit(gateway);
    const create = await provider.received('createTask');

    await deliver(gateway.callbackUrl(create), body);
    const task = await mutation;
    expect(task).toMatchObject({ ...expected, providerTaskId: 'kie-1' });

    answer.resolve();
    await create.closed;
    // Closing waits until what the answer said is written.
    await gateway.close();
    const { gateway: again } = await startWithProvider({ dataDir: gateway.dataDir, provider });
    expect(await readTask(again, task.id)).toEqual(task);
  });

  test('and its answer never comes: the task is ours all the same', async () => {
    const { gateway, provider } = await startWithProvider();
    const answer = deferred('the create call to be cut');
    provider.answer('createTask', { reset: true, gate: answer.promise });
    const mutation = submit(gateway);
    const create = await provider.received('createTask');
    const callback = gateway.callbackUrl(create);

    await deliver(callback, progress('kie-1', 'waiting'));
    const task = await mutation;
    expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
    answer.resolve();
    await create.closed;
    await deliver(callback, callbackSuccess('kie-1'));
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS', failure: null });
  });
});

test('a callback adopts a task whose create answer was lost', async () => {
  const { gateway, provider } = await startWithProvider();
  provider.answer('createTask', { reset: true });
  const task = await submit(gateway);
  expect(task).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  const watch = await watchTask(gateway, task.id);
  await watch.next();

  const create = await provider.received('createTask');
  await deliver(gateway.callbackUrl(create), callbackSuccess('kie-1'));
  expect(await watch.next()).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });
  await watch.completed();
  expect(provider.requests('createTask')).toHaveLength(1);
});

/** The changes of all tasks, from those after `revision` on, one at each call. */
async function nextChange(
  gateway: Gateway,
  after: number,
): Promise<() => Promise<{ readonly id: string; readonly revision: number; readonly state: string }>> {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const stream = socket.subscribe({ query: TASKS_UPDATED, variables: { after } });
  return async () => (await stream.data()).tasksUpdated;
}
