import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/tasks/log.ts';
import { staysPending, deferred } from '../kit/waits.ts';
import { startFakeProvider, type AnswerSource } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { created, failed, record, succeeded, callbackSuccess, deliverCallback, sign } from '../kit/kie.ts';
import {
  readTask,
  startWithProvider,
  startWithTask,
  submit,
  watchTask,
  type CalledBack,
} from '../webhooks/called-back.ts';
import { NO_QUERY_LIMIT, POLLING, until } from './polled.ts';

/** A task that is asked about all the time; it is waiting for as long as no other answer is queued. */
async function startPolled(recordInfo: AnswerSource = record('kie-1')): Promise<CalledBack> {
  const provider = await startFakeProvider();
  provider.always('recordInfo', recordInfo);
  return startWithTask({ provider, env: NO_QUERY_LIMIT, overrides: { timings: POLLING } });
}

describe('a task without callbacks', () => {
  test('is polled through all states to the end, and not afterwards', async () => {
    const { gateway, provider, task } = await startPolled();
    provider.answer(
      'recordInfo',
      record('kie-1'),
      record('kie-1', { state: 'queuing' }),
      record('kie-1', { state: 'queuing' }),
      record('kie-1', { state: 'generating' }),
      record('kie-1', { state: 'generating' }),
      succeeded('kie-1'),
    );
    const watch = await watchTask(gateway, task.id);
    const states = [await watch.next()];
    while (states.at(-1)?.state !== 'SUCCESS') states.push(await watch.next());
    await watch.completed();
    expect(states.map(({ state }) => state).slice(-3)).toEqual(['QUEUING', 'GENERATING', 'SUCCESS']);
    expect(states.at(-1)).toMatchObject({ creditsConsumed: 57, failure: null });
    expect(states.at(-1)?.videos).toHaveLength(1);
    const last = provider.requests().length;
    await staysPending(provider.received('recordInfo', ({ order }) => order > last));
    for (const { query } of provider.requests('recordInfo')) expect(query).toEqual({ taskId: 'kie-1' });
  });

  test('may skip states, and fail', async () => {
    const { gateway, provider, task } = await startPolled();
    provider.answer('recordInfo', failed('kie-1', '422', 'image too small'));
    const watch = await watchTask(gateway, task.id);
    expect(await until(() => watch.next(), 'FAIL')).toMatchObject({
      failure: { code: 'INVALID_INPUT', providerCode: '422', message: 'image too small', retryable: false },
      videos: [],
    });
  });

  test('never returns to an earlier state', async () => {
    const { gateway, provider, task } = await startPolled();
    provider.answer(
      'recordInfo',
      record('kie-1', { state: 'generating' }),
      record('kie-1', { state: 'waiting' }),
      record('kie-1', { state: 'queuing' }),
      succeeded('kie-1'),
    );
    const watch = await watchTask(gateway, task.id);
    await until(() => watch.next(), 'GENERATING');
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS' });
  });

  test('without a public URL the create call has no callback URL, and the task finishes by polling', async () => {
    const { gateway, provider } = await startWithProvider({
      env: { ...NO_QUERY_LIMIT, PUBLIC_URL: '' },
      overrides: { timings: POLLING },
    });
    provider.answer('createTask', created('kie-1'));
    provider.always('recordInfo', succeeded('kie-1'));
    const task = await submit(gateway);
    expect((await provider.received('createTask')).body).not.toHaveProperty('callBackUrl');
    const watch = await watchTask(gateway, task.id);
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ providerTaskId: 'kie-1' });
  });
});

describe('a response without a final state is logged, and the task is queried again:', () => {
  test.each([
    ['an unknown state', record('kie-1', { state: 'dreaming' }), 'the unknown state "dreaming"'],
    [
      'a success without an address',
      succeeded('kie-1', '', { resultJson: '' }),
      'a success without a usable result URL',
    ],
    [
      'a success with broken resultJson',
      succeeded('kie-1', '', { resultJson: '{"result' }),
      'a success without a usable result URL',
    ],
  ])('%s', async (_what, answer, reason) => {
    const logged = deferred<object>('the answer to be logged');
    const log = (own: Log): Log => ({
      debug: own.debug.bind(own),
      info: own.info.bind(own),
      error: own.error.bind(own),
      warn: logged.resolve,
    });
    const provider = await startFakeProvider();
    provider.always('recordInfo', answer);
    const { gateway, task } = await startWithTask({
      provider,
      env: NO_QUERY_LIMIT,
      overrides: { timings: POLLING, wrap: (ports) => ({ ...ports, log: log(ports.log) }) },
    });
    expect(await logged.promise).toMatchObject({ task: task.id, providerTaskId: 'kie-1', reason });
    for (let query = 0; query < 3; query += 1) await provider.received('recordInfo');
    expect(await readTask(gateway, task.id)).toEqual(task);

    const watch = await watchTask(gateway, task.id);
    provider.always('recordInfo', succeeded('kie-1'));
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ failure: null });
  });
});

test('a task has at most one query in flight, however long it takes', async () => {
  const answer = deferred('the query to be answered');
  const { gateway, provider, task } = await startPolled({ ...succeeded('kie-1'), gate: answer.promise });
  await provider.received('recordInfo');
  // Ten intervals.
  await staysPending(provider.received('recordInfo'), 100);
  const watch = await watchTask(gateway, task.id);
  answer.resolve();
  await until(() => watch.next(), 'SUCCESS');
});

test('tasks are queried concurrently: a slow response delays no other task', async () => {
  const provider = await startFakeProvider();
  const slow = deferred('the slow query to be answered');
  provider.always('recordInfo', async ({ query: { taskId = '' } }) => {
    if (taskId === 'kie-1') await slow.promise;
    return succeeded(taskId);
  });
  const { gateway } = await startWithProvider({
    provider,
    env: NO_QUERY_LIMIT,
    overrides: { timings: POLLING },
  });
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  const [first, second] = [await submit(gateway), await submit(gateway)];
  await (await watchTask(gateway, second.id)).completed();
  expect(await readTask(gateway, first.id)).toMatchObject({ state: 'WAITING' });
  slow.resolve();
  await (await watchTask(gateway, first.id)).completed();
});

test('a response that is older than a callback changes nothing', async () => {
  const answer = deferred('the query to be answered');
  const { callback, gateway, provider, task } = await startPolled({
    ...failed('kie-1'),
    gate: answer.promise,
  });
  await provider.received('recordInfo');
  await deliverCallback(callback, callbackSuccess('kie-1'), sign(HMAC_KEY, 'kie-1'));
  const ended = await readTask(gateway, task.id);
  expect(ended).toMatchObject({ state: 'SUCCESS' });

  answer.resolve();
  // Closing waits until what the answer said is dealt with.
  await gateway.close();
  const { gateway: again } = await startWithProvider({ provider, dataDir: gateway.dataDir });
  expect(await readTask(again, task.id)).toEqual(ended);
});
