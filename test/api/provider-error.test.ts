import { describe, expect, it } from 'vitest';
import { TASK_UPDATED } from '../kit/documents.ts';
import { HMAC_KEY, startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, created, deliverCallback, refused, sign } from '../kit/kie.ts';
import { startFakeProvider, type AnswerSource } from '../kit/provider.ts';
import { deferred } from '../kit/waits.ts';
import { create, createTask, findTask, listTasks, taskIdOf } from './client.ts';

async function start(answers: readonly AnswerSource[], options: GatewayOptions = {}) {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...answers);
  return { provider, gateway: await startGateway({ provider, ...options }) };
}

/** The states of a task from now on, one by one. */
async function watch(gateway: Gateway, id: string) {
  const socket = await openGraphqlWs(gateway.graphqlUrl);
  const stream = socket.subscribe({ query: TASK_UPDATED, variables: { id } });
  return { ...stream, task: async () => (await stream.data()).taskUpdated };
}

it('a refusal of the provider is answered with its code and message, and nothing is stored', async () => {
  const { gateway, provider } = await start([]);
  for (const [kieCode, code, retryable] of [
    [400, 'INVALID_INPUT', false],
    [401, 'UNAUTHORIZED', false],
    [402, 'INSUFFICIENT_CREDITS', false],
    [403, 'UNKNOWN', false],
    [404, 'NOT_FOUND', false],
    [422, 'INVALID_INPUT', false],
    [433, 'QUOTA_EXCEEDED', false],
    [501, 'GENERATION_FAILED', true],
    [505, 'FEATURE_DISABLED', false],
  ] as const) {
    const message = `No, because of ${kieCode}`;
    provider.answer('createTask', refused(kieCode, message));
    const refusal = { __typename: 'ProviderError', code, providerCode: String(kieCode), message, retryable };
    expect(await create(gateway)).toEqual(refusal);
    await provider.received('createTask');
  }
  expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
  expect(provider.requests('createTask')).toHaveLength(9);
});

it('a queue that is too long is RATE_LIMITED: nothing is stored, and it may succeed later', async () => {
  const { gateway, provider } = await start([created('kie-1')], {
    env: { KIE_CREATES_PER_10S: '1', CREATE_WAIT_MS: '1' },
    overrides: { timings: { queueLimit: 15_000 } },
  });
  await createTask(gateway);
  await provider.received('createTask');
  // Each of these two waits 10.5 s for its turn.
  for (let count = 0; count < 2; count += 1) await createTask(gateway);
  const { revision } = await listTasks(gateway);
  const refusal = { code: 'RATE_LIMITED', providerCode: null, retryable: true };
  expect(await create(gateway)).toMatchObject({ __typename: 'ProviderError', ...refusal });
  const list = await listTasks(gateway);
  expect([list.revision, list.edges.length]).toEqual([revision, 3]);
});

describe('a provider that does not answer within CREATE_WAIT_MS', () => {
  it.each([
    ['accepts', '20', created('kie-1'), { state: 'WAITING', providerTaskId: 'kie-1' }],
    [
      'refuses',
      '0',
      refused(433, 'Sub-key limit'),
      { state: 'FAIL', failure: { code: 'QUOTA_EXCEEDED', providerCode: '433', message: 'Sub-key limit' } },
    ],
  ])('and then %s: the mutation gets a SUBMITTING task, which then moves', async (_, wait, answer, moved) => {
    const gate = deferred();
    const env = { CREATE_WAIT_MS: wait };
    const { gateway, provider } = await start([{ ...answer, gate: gate.promise }], { env });
    const task = await createTask(gateway);
    expect(task).toMatchObject({ state: 'SUBMITTING', providerTaskId: null, completedAt: null });
    expect(await findTask(gateway, task.id)).toEqual(task);
    const stream = await watch(gateway, task.id);
    expect(await stream.task()).toEqual(task);
    gate.resolve();
    const after = await stream.task();
    expect(after).toMatchObject({ id: task.id, ...moved });
    expect(after.revision).toBeGreaterThan(task.revision);
    expect(await findTask(gateway, task.id)).toEqual(after);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('but has called back: the mutation answers with what the callback says', async () => {
    const gate = deferred();
    const { gateway, provider } = await start([{ ...created('kie-1'), gate: gate.promise }]);
    const mutation = createTask(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
    expect(await mutation).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });
    gate.resolve();
  });
});

describe('a create call whose outcome is unknown', () => {
  it.each([
    ['a reset', { reset: true }],
    ['a bad gateway', { status: 502, body: '<h1>Bad gateway</h1>' }],
    ['an error of the provider', refused(500, 'Internal error')],
    ['no answer until CREATE_TIMEOUT_MS', { hang: true }],
  ])(
    'after %s is answered at once with a SUBMITTING task, never sent again, and fails',
    async (_, answer) => {
      const { gateway, provider } = await start([answer], {
        env: { CREATE_WAIT_MS: '3600000', SUBMISSION_GRACE_MS: '300', CREATE_TIMEOUT_MS: '1000' },
        overrides: { timings: { idleLook: 20 } },
      });
      const once = { idempotencyKey: 'one' };
      const task = await createTask(gateway, once);
      expect(task).toMatchObject({ state: 'SUBMITTING', failure: null, providerTaskId: null });
      // A retry gets the same task, and its whole life brings no second call.
      expect((await createTask(gateway, once)).id).toBe(task.id);
      const stream = await watch(gateway, task.id);
      let last = await stream.task();
      if (last.state === 'SUBMITTING') last = await stream.task();
      expect(last).toMatchObject({
        state: 'FAIL',
        failure: { code: 'SUBMISSION_UNKNOWN', retryable: false },
      });
      expect((await createTask(gateway, once)).state).toBe('FAIL');
      expect(provider.requests('createTask')).toHaveLength(1);
    },
  );

  it('fails at once where no callback can come, and says where to look', async () => {
    const { gateway } = await start([{ reset: true }], { env: { PUBLIC_URL: '' } });
    const task = await createTask(gateway);
    const message = expect.stringContaining('https://kie.ai/logs') as string;
    const failure = { code: 'SUBMISSION_UNKNOWN', message, retryable: false };
    expect(task).toMatchObject({ state: 'FAIL', failure, completedAt: task.updatedAt });
  });
});

describe('a provider that says "not now"', () => {
  it('is asked again within the same mutation', async () => {
    const { gateway, provider } = await start([refused(429, 'Too many requests'), created('kie-2')], {
      overrides: { timings: { resendFirstMin: 10, resendFirstMax: 20 } },
    });
    const task = await createTask(gateway);
    expect(task).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-2' });
    expect(provider.requests('createTask').map(taskIdOf)).toEqual([task.id, task.id]);
  });

  it('until the deadline, or cannot be reached, is a ProviderError, and nothing is stored', async () => {
    const env = { SUBMIT_DEADLINE_MS: '0' };
    const { gateway, provider } = await start([refused(455, 'Maintenance')], { env });
    const refusal = { code: 'MAINTENANCE', providerCode: '455', retryable: true };
    expect(await create(gateway)).toMatchObject(refusal);
    await provider.close();
    const away = { code: 'UNREACHABLE', providerCode: null, retryable: true };
    expect(await create(gateway)).toMatchObject(away);
    expect((await listTasks(gateway)).edges).toEqual([]);
  });
});
