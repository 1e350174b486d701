import { describe, expect, it } from 'vitest';
import { staysPending, deferred } from '../kit/waits.ts';
import { TASK_UPDATED } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackFail, callbackSuccess, deliverCallback, sign, created, refused } from '../kit/kie.ts';
import { create, createTask, findTask, listTasks, taskIdOf, taskOf } from './client.ts';

const KEY = 'one';
const WISH = { idempotencyKey: KEY };
const OTHER = { idempotencyKey: KEY, prompt: 'something else' };

function conflict(id: string) {
  return { __typename: 'IdempotencyConflictError', task: { id } };
}

describe('the same key with the same input', () => {
  it('gives the same task from one create call, however often', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(gateway, WISH);
    for (let time = 0; time < 3; time += 1) expect(await createTask(gateway, WISH)).toEqual(task);
    expect(provider.requests('createTask')).toHaveLength(1);
    expect((await listTasks(gateway)).edges).toHaveLength(1);
  });

  it.each([
    [{}, { endImageUrl: null }],
    [{ endImageUrl: null }, { endImageUrl: '' }],
    [{ endImageUrl: ' ' }, {}],
    [{}, { promptOptimizer: null }],
    [{ imageUrl: 'https://files.example/a.png' }, { imageUrl: ' https://files.example/a.png ' }],
  ])('is the same where %j and %j ask the provider for the same', async (first, second) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(gateway, { ...WISH, ...first });
    expect(await createTask(gateway, { ...WISH, ...second })).toEqual(task);
  });

  it('gives the task as it is now, not as it was', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const { id } = await createTask(gateway, WISH);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    expect(await createTask(gateway, WISH)).toMatchObject({ id, state: 'SUCCESS' });
  });

  it('gives the failed task after it has failed: a new attempt needs a new key', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const { id } = await createTask(gateway, WISH);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackFail('kie-1'), sign(HMAC_KEY, 'kie-1'));

    const again = await createTask(gateway, WISH);
    expect(again).toMatchObject({ id, state: 'FAIL', failure: { providerCode: '500' } });
    expect(again).toEqual(await findTask(gateway, id));
    expect(provider.requests('createTask')).toHaveLength(1);
    expect((await createTask(gateway, { idempotencyKey: 'two' })).id).not.toBe(id);
  });

  it('survives the gateway', async () => {
    const provider = await startFakeProvider();
    const first = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(first, WISH);
    await first.close();
    const second = await startGateway({ provider, dataDir: first.dataDir });
    expect(await createTask(second, WISH)).toEqual(task);
    expect(await create(second, OTHER)).toMatchObject(conflict(task.id));
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

describe('without a key', () => {
  it('the same input twice is two tasks', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'), created('kie-2'));
    const [first, second] = [await createTask(gateway), await createTask(gateway, { idempotencyKey: null })];
    expect(first.id).not.toBe(second.id);
    expect(provider.requests('createTask')).toHaveLength(2);
  });
});

describe('the same key with another input', () => {
  it.each([
    { prompt: 'slow push-in, snow falling ' },
    { imageUrl: 'https://files.example/other.png' },
    { endImageUrl: 'https://files.example/last.png' },
    { promptOptimizer: false },
  ])('is a conflict that names the task which has it: %j', async (fields) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', created('kie-1'));
    const task = await createTask(gateway, { ...WISH, promptOptimizer: null });
    expect(await create(gateway, { ...WISH, ...fields })).toEqual({
      __typename: 'IdempotencyConflictError',
      message: expect.stringMatching(/./) as string,
      task,
    });
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('is told of the conflict only when the task has come to be', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const first = create(gateway, WISH);
    await provider.received('createTask');
    const second = create(gateway, OTHER);
    await staysPending(second);
    answer.resolve();
    expect(await second).toMatchObject(conflict(taskOf(await first).id));
  });
});

describe('concurrent twins', () => {
  it('share one create call and its task', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
    const twins = Promise.all(Array.from({ length: 10 }, () => create(gateway, WISH)));
    await provider.received('createTask');
    await staysPending(twins);
    answer.resolve();
    const tasks = (await twins).map(taskOf);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1);
    expect(tasks.every(({ state }) => state === 'WAITING')).toBe(true);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('share one refusal', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer('createTask', { ...refused(402, 'Insufficient credits'), gate: answer.promise });
    const twins = Promise.all(Array.from({ length: 5 }, () => create(gateway, WISH)));
    await provider.received('createTask');
    await staysPending(twins);
    answer.resolve();
    for (const result of await twins) expect(result).toMatchObject({ code: 'INSUFFICIENT_CREDITS' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

describe('a key is free again', () => {
  it.each([
    ['the same input', WISH],
    ['another input', OTHER],
  ])('for %s when the provider has refused its task', async (_, fields) => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    provider.answer('createTask', refused(402, 'Insufficient credits'), created('kie-2'));
    expect(await create(gateway, WISH)).toMatchObject({ __typename: 'ProviderError' });
    const task = await createTask(gateway, fields);
    expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
    expect(provider.requests('createTask').map(taskIdOf)[1]).toBe(task.id);
  });

  it('for another input that waits while the provider refuses', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider });
    const answer = deferred();
    provider.answer(
      'createTask',
      { ...refused(402, 'Insufficient credits'), gate: answer.promise },
      created('kie-2'),
    );
    const first = create(gateway, WISH);
    await provider.received('createTask');
    const second = create(gateway, OTHER);
    await staysPending(second);
    answer.resolve();
    expect(await first).toMatchObject({ __typename: 'ProviderError' });
    expect(taskOf(await second)).toMatchObject({ prompt: OTHER.prompt, providerTaskId: 'kie-2' });
  });

  it('when the refusal came after the task was announced, and its failed task stays', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { CREATE_WAIT_MS: '20' } });
    const answer = deferred();
    provider.answer('createTask', { ...refused(402, 'Insufficient credits'), gate: answer.promise });
    const { id, state } = await createTask(gateway, WISH);
    expect(state).toBe('SUBMITTING');
    expect(await create(gateway, OTHER)).toMatchObject(conflict(id));

    const socket = await openGraphqlWs(gateway.graphqlUrl);
    const watch = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
    expect((await watch.data()).taskUpdated.state).toBe('SUBMITTING');
    answer.resolve();
    expect((await watch.data()).taskUpdated.state).toBe('FAIL');

    provider.answer('createTask', created('kie-2'));
    expect((await createTask(gateway, OTHER)).id).not.toBe(id);
    expect(await findTask(gateway, id)).toMatchObject({
      state: 'FAIL',
      failure: { code: 'INSUFFICIENT_CREDITS', providerCode: '402', retryable: false },
    });
  });
});
