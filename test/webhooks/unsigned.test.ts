import { describe, expect, test } from 'vitest';
import { staysPending, deferred } from '../kit/waits.ts';
import type { ApiTask } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import {
  createBody,
  created,
  failed,
  notVisibleYet,
  record,
  refused,
  succeeded,
  param,
  resultJson,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithProvider, startWithTask, submit, takeTask, watchTask } from './called-back.ts';

/** No key is known, so that nothing a callback says can be believed. */
const env = { KIE_WEBHOOK_HMAC_KEYS: '' };

const HOUR_MS = 3_600_000;

describe('without keys a callback only has the provider asked, whose answer decides:', () => {
  test.each([
    ['a failure in the body, a success in truth', callbackFail('kie-1'), succeeded('kie-1'), 'SUCCESS'],
    ['a success in the body, a failure in truth', callbackSuccess('kie-1'), failed('kie-1'), 'FAIL'],
    ['both the same', callbackSuccess('kie-1'), succeeded('kie-1'), 'SUCCESS'],
    [
      'an end in the body, none in truth',
      callbackSuccess('kie-1'),
      record('kie-1', { state: 'queuing' }),
      'QUEUING',
    ],
  ])('%s', async (_what, body, truth, state) => {
    const { callback, gateway, provider, task } = await startWithTask({ env });
    const watch = await watchTask(gateway, task.id);
    await watch.next();
    provider.answer('recordInfo', truth);
    expect((await deliverCallback(callback, body)).status).toBe(200);
    expect(await watch.next()).toMatchObject({ state, providerTaskId: 'kie-1' });
  });
});

test('a forged body changes nothing, and nothing of it is ever shown', async () => {
  const timings = { bringForwardEvery: 0 };
  const { callback, gateway, provider, task } = await startWithTask({ env, overrides: { timings } });
  provider.answer('recordInfo', notVisibleYet());
  const forged = callbackSuccess('kie-1', {
    resultJson: resultJson('https://evil.example/v.mp4'),
    consumeCredits: 9999,
  });
  expect((await deliverCallback(callback, forged, sign('a-guessed-key', 'kie-1'))).status).toBe(200);
  await provider.received('recordInfo');
  expect(await readTask(gateway, task.id)).toEqual(task);

  const watch = await watchTask(gateway, task.id);
  await watch.next();
  provider.answer('recordInfo', succeeded('kie-1'));
  await deliverCallback(callback, forged);
  const ended = await watch.next();
  expect(ended).toMatchObject({ state: 'SUCCESS', creditsConsumed: 57 });
  expect(JSON.stringify(ended)).not.toContain('evil.example');
});

test.each(['waiting', 'generating'])(
  'a callback that comes too early while a check is under way has another one made, whatever that one says: %s',
  async (state) => {
    // No check comes by itself.
    const timings = { bringForwardEvery: 500, checkIntervalMin: HOUR_MS, checkIntervalMax: HOUR_MS };
    const { callback, gateway, provider, task } = await startWithTask({ env, overrides: { timings } });
    const watch = await watchTask(gateway, task.id);
    const answer = deferred('the check to be answered');
    provider.answer('recordInfo', { ...record('kie-1', { state }), gate: answer.promise });
    provider.always('recordInfo', succeeded('kie-1'));
    await deliverCallback(callback, callbackSuccess('kie-1'));
    await provider.received('recordInfo');
    await deliverCallback(callback, callbackSuccess('kie-1'));
    answer.resolve();
    await watch.completed();
    expect(await readTask(gateway, task.id)).toMatchObject({ state: 'SUCCESS' });
  },
);

test('a query that waits for the rate limit is not put off by further callbacks', async () => {
  let isFree = false;
  const { callback, provider } = await startWithTask({
    env,
    overrides: {
      timings: { bringForwardEvery: HOUR_MS },
      wrap: (ports) => ({
        ...ports,
        store: {
          ...ports.store,
          claimDue: (query) =>
            isFree ? ports.store.claimDue(query) : Promise.resolve({ records: [], nextAt: query.now() + 20 }),
        },
      }),
    },
  });
  provider.answer('recordInfo', succeeded('kie-1'));
  for (let time = 0; time < 3; time += 1)
    expect((await deliverCallback(callback, callbackSuccess('kie-1'))).status).toBe(200);
  isFree = true;
  await provider.received('recordInfo');
});

test('a callback for a task that has ended is taken, and nobody is asked', async () => {
  const { callback, gateway, provider, task } = await startWithTask({ env });
  const watch = await watchTask(gateway, task.id);
  provider.answer('recordInfo', succeeded('kie-1'));
  await deliverCallback(callback, callbackSuccess('kie-1'));
  await watch.completed();
  expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(200);
  await staysPending(provider.received('recordInfo', ({ order }) => order > 2));
});

test('what a callback asked for is done by the next process when this one does not come to it', async () => {
  const provider = await startFakeProvider();
  const first = await startWithTask({
    env,
    provider,
    overrides: {
      wrap: (ports) => ({
        ...ports,
        store: { ...ports.store, claimDue: () => Promise.resolve({ records: [], nextAt: null }) },
      }),
    },
  });
  expect((await deliverCallback(first.callback, callbackSuccess('kie-1'))).status).toBe(200);
  await first.gateway.close();

  provider.answer('recordInfo', succeeded('kie-1'));
  const { dataDir } = first.gateway;
  const { gateway } = await startWithProvider({ env, dataDir, provider });
  const watch = await watchTask(gateway, first.task.id);
  await watch.completed();
  expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'SUCCESS' });
});

test('a callback before the answer to the create call has the provider asked, and answers the mutation', async () => {
  const { gateway, provider } = await startWithProvider({ env });
  const answer = deferred('the create call to be answered');
  provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
  const mutation = submit(gateway);
  const create = await provider.received('createTask');
  const callback = gateway.callbackUrl(create);
  const shown = { param: param(createBody(create).callBackUrl) };
  provider.answer('recordInfo', succeeded('kie-1', undefined, shown));
  expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(200);
  const task = await mutation;
  expect(task).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-1' });

  answer.resolve();
  // Closing waits until what the answer said is written.
  await gateway.close();
  const { gateway: again } = await startWithProvider({ env, provider, dataDir: gateway.dataDir });
  expect(await readTask(again, task.id)).toEqual(task);
});

describe('an id that a callback names for a task whose create answer was lost', () => {
  interface Lost {
    readonly provider: FakeProvider;
    readonly gateway: Gateway;
    readonly task: ApiTask;
    readonly callback: string;
    /** The address as the provider knows it. */
    readonly callBackUrl: string;
    readonly next: () => Promise<ApiTask>;
  }

  async function loseAnswer(): Promise<Lost> {
    const { gateway, provider } = await startWithProvider({
      env,
      // An id that is not confirmed is asked about again soon.
      overrides: {
        timings: { checkIntervalMin: 20, checkIntervalMax: 20, idleLook: 20, bringForwardEvery: 0 },
      },
    });
    provider.answer('createTask', { reset: true });
    const task = await submit(gateway);
    expect(task).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
    const create = await provider.received('createTask');
    const { next } = await watchTask(gateway, task.id);
    await next();
    const callBackUrl = createBody(create).callBackUrl ?? '';
    return { gateway, provider, task, callback: gateway.callbackUrl(create), callBackUrl, next };
  }

  async function name(callback: string, id: string): Promise<void> {
    expect((await deliverCallback(callback, callbackSuccess(id))).status).toBe(200);
  }

  test("becomes the task's when the provider knows it, and not before", async () => {
    const { callback, callBackUrl, gateway, next, provider, task } = await loseAnswer();
    const known = deferred('the provider to know the task');
    provider.answer(
      'recordInfo',
      notVisibleYet(),
      refused(404, 'Task not found'),
      refused(500, 'oops'),
      { reset: true },
      { ...record('kie-7', { param: param(callBackUrl) }), gate: known.promise },
    );
    await name(callback, 'kie-7');
    for (let query = 0; query < 5; query += 1)
      expect((await provider.received('recordInfo')).query).toEqual({ taskId: 'kie-7' });
    expect(await readTask(gateway, task.id)).toEqual(task);

    provider.always('recordInfo', succeeded('kie-7', undefined, { param: param(callBackUrl) }));
    known.resolve();
    expect(await next()).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-7' });
    expect(await next()).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-7' });
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  test.each([
    [
      'which has ended by then',
      { state: 'success', resultJson: resultJson('https://a.example/v.mp4') },
      'SUCCESS',
    ],
    ['whose state nobody knows', { state: 'dreaming' }, 'WAITING'],
    ['whose success has no address yet', { state: 'success' }, 'WAITING'],
  ])("becomes the task's: one %s", async (_what, fields, state) => {
    const { callback, callBackUrl, next, provider } = await loseAnswer();
    provider.always('recordInfo', record('kie-7', { ...fields, param: param(callBackUrl) }));
    await name(callback, 'kie-7');
    expect(await next()).toMatchObject({ state, providerTaskId: 'kie-7' });
  });

  test('is dropped when the provider knows it and does not show whom it calls back', async () => {
    const { callback, gateway, provider, task } = await loseAnswer();
    provider.answer('recordInfo', succeeded('kie-7'));
    await name(callback, 'kie-7');
    await provider.received('recordInfo');
    await staysPending(provider.received('recordInfo'));
    expect(await readTask(gateway, task.id)).toEqual(task);
  });

  test('is dropped when the provider calls somebody else back for it, and the right one still counts', async () => {
    const { callback, callBackUrl, gateway, next, provider, task } = await loseAnswer();
    const other = new URL(callBackUrl);
    other.pathname = '/webhooks/kie/another-task/another-token';
    provider.answer('recordInfo', succeeded('kie-6', undefined, { param: param(other.href) }));
    await name(callback, 'kie-6');
    await provider.received('recordInfo');
    await staysPending(provider.received('recordInfo', ({ query }) => query['taskId'] === 'kie-6'));
    expect(await readTask(gateway, task.id)).toEqual(task);

    provider.answer('recordInfo', succeeded('kie-7', undefined, { param: param(callBackUrl) }));
    await name(callback, 'kie-7');
    expect(await next()).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-7' });
  });

  test('gives way to a newer one while it is not confirmed', async () => {
    const { callback, callBackUrl, next, provider } = await loseAnswer();
    const shown = { param: param(callBackUrl) };
    provider.always('recordInfo', ({ query }) =>
      query['taskId'] === 'kie-7' ? succeeded('kie-7', undefined, shown) : notVisibleYet(),
    );
    await name(callback, 'kie-6');
    await provider.received('recordInfo', ({ query }) => query['taskId'] === 'kie-6');
    await name(callback, 'kie-7');
    expect(await next()).toMatchObject({ state: 'SUCCESS', providerTaskId: 'kie-7' });
  });
});

test('an id that another task got while the provider was asked about it is not taken', async () => {
  const scene = await startWithProvider({ env });
  const { gateway, provider } = scene;
  provider.answer('createTask', { reset: true });
  const lost = await submit(gateway);
  const create = await provider.received('createTask');
  provider.answer('recordInfo', async () => {
    await takeTask(scene, 'kie-9');
    return record('kie-9', { param: param(createBody(create).callBackUrl) });
  });
  expect((await deliverCallback(gateway.callbackUrl(create), callbackSuccess('kie-9'))).status).toBe(200);
  await provider.received('recordInfo');
  await staysPending(provider.received('recordInfo'));
  expect(await readTask(gateway, lost.id)).toEqual(lost);
});

test.each([
  ['unsigned', '', null],
  ['signed for it', HMAC_KEY, HMAC_KEY],
  ['with a wrong signature', HMAC_KEY, 'another key'],
] as const)(
  "a callback, %s, never gives a task the provider's id of another task, nor an id shown with the address of another task",
  async (way, keys, key) => {
    const scene = await startWithProvider({
      env: { KIE_WEBHOOK_HMAC_KEYS: keys },
      overrides: { timings: { bringForwardEvery: 0 } },
    });
    const { gateway, provider } = scene;
    await takeTask(scene, 'kie-1');
    provider.answer('createTask', { reset: true });
    const lost = await submit(gateway);
    const callback = gateway.callbackUrl(await provider.received('createTask'));
    const statusOf = async (id: string, body: object): Promise<number> =>
      (await deliverCallback(callback, body, key === null ? {} : sign(key, id))).status;
    const elsewhere = param('https://gateway.example.test/webhooks/kie/another-task/another-token');

    expect(await statusOf('kie-1', callbackSuccess('kie-1'))).toBe(409);
    expect(await statusOf('kie-9', callbackSuccess('kie-9', { param: elsewhere }))).toBe(409);
    const bare = { code: 200, msg: '', data: { taskId: 'kie-9', param: elsewhere } };
    expect(await statusOf('kie-9', bare)).toBe(409);
    const asked = provider.received('recordInfo');
    await staysPending(asked);
    expect(await readTask(gateway, lost.id)).toEqual(lost);

    provider.always('recordInfo', succeeded('kie-9'));
    const isProof = way === 'signed for it';
    await statusOf('kie-9', callbackSuccess('kie-9'));
    await (isProof ? staysPending(asked) : asked);
    await staysPending(provider.received('recordInfo'));
    const providerTaskId = isProof ? 'kie-9' : null;
    expect(await readTask(gateway, lost.id)).toMatchObject({ providerTaskId });
  },
);

test('two create answers with the same id leave the second task unknown, and it is not sent again', async () => {
  const { gateway, provider } = await startWithTask();
  provider.answer('createTask', created('kie-1'));
  expect(await submit(gateway)).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  expect(provider.requests('createTask')).toHaveLength(2);
});
