import { describe, expect, it } from 'vitest';
import { deferred } from '../kit/waits.ts';
import { TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { HMAC_KEY, startGateway, type Gateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, deliverCallback, sign, created, refused } from '../kit/kie.ts';
import { create, createTask, findTask, listTasks, taskIdOf } from './client.ts';

const SOON = { CREATE_WAIT_MS: '20' };

/** The states of a task from now on, one by one. */
async function watch(gateway: Gateway, id: string) {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const stream = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  return { ...stream, task: async () => (await stream.data()).taskUpdated };
}

describe('a provider that does not answer within CREATE_WAIT_MS', () => {
  it('leaves the mutation with a SUBMITTING task, which moves when the answer comes', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: SOON });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const task = await createTask(gateway);
    expect(task).toMatchObject({ state: 'SUBMITTING', providerTaskId: null, completedAt: null });
    expect(await findTask(gateway, task.id)).toEqual(task);

    const stream = await watch(gateway, task.id);
    expect(await stream.task()).toEqual(task);
    answer.resolve();
    const moved = await stream.task();
    expect(moved).toMatchObject({ id: task.id, state: 'WAITING', providerTaskId: 'kie-1' });
    expect(moved.revision).toBeGreaterThan(task.revision);
    expect(await findTask(gateway, 'kie-1')).toEqual(moved);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('and then refuses makes the announced task fail, in the words of the provider', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: SOON });
    const answer = deferred();
    provider.answer('createTask', { ...refused(433, 'Sub-key limit'), gate: answer.promise });
    const stream = await watch(gateway, (await createTask(gateway)).id);
    expect(await stream.task()).toMatchObject({ state: 'SUBMITTING' });
    answer.resolve();
    expect(await stream.task()).toMatchObject({
      state: 'FAIL',
      failure: { code: 'QUOTA_EXCEEDED', providerCode: '433', message: 'Sub-key limit', retryable: false },
    });
    await stream.completed();
  });

  it('is called back by before it answers: the callback adopts the task', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const mutation = createTask(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    expect(await mutation).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });
    answer.resolve();
  });

  it('may be waited for by nobody: 0 announces every task as SUBMITTING', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { CREATE_WAIT_MS: '0' } });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    expect(await createTask(gateway)).toMatchObject({ state: 'SUBMITTING' });
    await provider.received('createTask');
    answer.resolve();
  });
});

/** Ends of a create call after which nobody knows whether the provider took it. */
const LOST: readonly (readonly [what: string, answer: Answer])[] = [
  ['a reset after the request', { reset: true }],
  ['a connection that is closed without a word', { cutAfterBytes: 0 }],
  ['an answer that is cut off', { ...created('kie-1'), cutBodyAfterBytes: 10 }],
  ['an envelope with 500', refused(500, 'Internal error')],
  ['an envelope with 408', refused(408, 'Timeout')],
  ['success without a task id', { body: { code: 200, msg: 'success', data: null } }],
  ['a bad gateway', { status: 502, body: '<h1>Bad gateway</h1>' }],
  ['a page that forbids', { status: 403, body: 'error code: 1010' }],
  ['an answer that nobody can read', { body: 'hello' }],
];

describe.each(LOST)('%s', (_, answer) => {
  it('is answered at once with a SUBMITTING task, and never sent again', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({
      provider,
      env: { CREATE_WAIT_MS: '3600000', SUBMISSION_GRACE_MS: '300' },
      overrides: { timings: { idleLook: 20 } },
    });
    provider.answer('createTask', answer);
    const task = await createTask(gateway, { idempotencyKey: 'one' });
    expect(task).toMatchObject({ state: 'SUBMITTING', failure: null, providerTaskId: null });

    // A retry gets the same task, and the whole life of the task brings no second call.
    expect((await createTask(gateway, { idempotencyKey: 'one' })).id).toBe(task.id);
    const stream = await watch(gateway, task.id);
    let last = await stream.task();
    if (last.state === 'SUBMITTING') last = await stream.task();
    expect(last).toMatchObject({
      state: 'FAIL',
      failure: { code: 'SUBMISSION_UNKNOWN', retryable: false },
    });
    expect((await createTask(gateway, { idempotencyKey: 'one' })).state).toBe('FAIL');
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

describe('a create call whose outcome is unknown', () => {
  it('is one that the provider leaves open until CREATE_TIMEOUT_MS', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({
      provider,
      env: { CREATE_WAIT_MS: '3600000', CREATE_TIMEOUT_MS: '1000' },
    });
    provider.answer('createTask', { hang: true });
    expect(await createTask(gateway)).toMatchObject({ state: 'SUBMITTING' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('is made good by the callback', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', { reset: true });
    const { id } = await createTask(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'SUCCESS', failure: null });
  });

  it('fails at once where no callback can come, and says where to look', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { PUBLIC_URL: '' } });
    provider.answer('createTask', { reset: true });
    const task = await createTask(gateway);
    expect(task).toMatchObject({
      state: 'FAIL',
      failure: {
        code: 'SUBMISSION_UNKNOWN',
        message: expect.stringContaining('https://kie.ai/logs') as string,
        retryable: false,
      },
    });
    expect(task.completedAt).toBe(task.updatedAt);
  });
});

describe('a provider that says "not now"', () => {
  it.each([
    ['an envelope with 429', refused(429, 'Too many requests')],
    ['an envelope with 455', refused(455, 'Maintenance')],
    ['a 429 of any shape', { status: 429, body: 'slow down' }],
  ])('with %s is asked again, within the same mutation', async (_, answer) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({
      provider,
      overrides: { timings: { resendFirstMin: 10, resendFirstMax: 20 } },
    });
    provider.answer('createTask', answer, created('kie-2'));
    const task = await createTask(gateway);
    expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
    expect(provider.requests('createTask').map(taskIdOf)).toEqual([task.id, task.id]);
  });

  it('until the deadline is a ProviderError, and nothing is left behind', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({
      provider,
      env: { SUBMIT_DEADLINE_MS: '0' },
    });
    provider.answer('createTask', refused(455, 'Maintenance'));
    expect(await create(gateway)).toMatchObject({
      code: 'MAINTENANCE',
      providerCode: '455',
      retryable: true,
    });
    expect((await listTasks(gateway)).edges).toEqual([]);
  });

  it('by not being there at all is UNREACHABLE', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { SUBMIT_DEADLINE_MS: '0' } });
    await provider.close();
    expect(await create(gateway)).toMatchObject({
      code: 'UNREACHABLE',
      providerCode: null,
      retryable: true,
    });
  });
});
