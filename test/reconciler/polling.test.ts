import { describe, expect, test } from 'vitest';
import type { TaskPorts } from '../../src/tasks/ports.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { callbackSuccess, created, deliverCallback, failed, notVisibleYet } from '../kit/kie.ts';
import { record, refused, sign, succeeded } from '../kit/kie.ts';
import { startFakeProvider, type Answer, type AnswerSource } from '../kit/provider.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { readTask, startWithProvider, startWithTask, submit, watchTask } from '../webhooks/called-back.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { NO_QUERY_LIMIT, POLLING, until } from './polled.ts';

const polled = { env: NO_QUERY_LIMIT, overrides: { timings: POLLING } };

/** A task that is queried all the time; it is waiting for as long as no other answer is queued. */
async function startPolled(recordInfo: AnswerSource = record('kie-1')) {
  const provider = await startFakeProvider();
  provider.always('recordInfo', recordInfo);
  return startWithTask({ ...polled, provider });
}

describe('a task without callbacks', () => {
  test('is polled through all states to the end, never back, and not afterwards', async () => {
    const { gateway, provider, task } = await startPolled();
    const states = ['waiting', 'queuing', 'queuing', 'generating', 'waiting', 'queuing', 'generating'];
    provider.answer('recordInfo', ...states.map((state) => record('kie-1', { state })), succeeded('kie-1'));
    const watch = await watchTask(gateway, task.id);
    const seen = [await watch.next()];
    while (seen.at(-1)?.state !== 'SUCCESS') seen.push(await watch.next());
    await watch.completed();
    expect(seen.map(({ state }) => state).slice(-3)).toEqual(['QUEUING', 'GENERATING', 'SUCCESS']);
    expect(seen.at(-1)).toMatchObject({ creditsConsumed: 57, failure: null, videos: [{}] });
    const last = provider.requests().length;
    await staysPending(provider.received('recordInfo', ({ order }) => order > last));
    for (const { query } of provider.requests('recordInfo')) expect(query).toEqual({ taskId: 'kie-1' });
  });

  test('and without a public URL has no callback URL, and ends by polling', async () => {
    const { gateway, provider } = await startWithProvider({
      ...polled,
      env: { ...NO_QUERY_LIMIT, PUBLIC_URL: '' },
    });
    provider.answer('createTask', created('kie-1'));
    provider.always('recordInfo', succeeded('kie-1'));
    const task = await submit(gateway);
    expect((await provider.received('createTask')).body).not.toHaveProperty('callBackUrl');
    const watch = await watchTask(gateway, task.id);
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ providerTaskId: 'kie-1' });
  });

  test.each([
    [failed('kie-1', '422', 'it is over'), { code: 'INVALID_INPUT', providerCode: '422', retryable: false }],
    [refused(501, 'it is over'), { code: 'GENERATION_FAILED', providerCode: '501', retryable: true }],
    [refused(408, 'it is over'), { code: 'PROVIDER_TIMEOUT', providerCode: '408', retryable: true }],
    [refused(531, 'it is over'), { code: 'GENERATION_FAILED', providerCode: '531', retryable: true }],
  ])('fails with the report of a query: %j', async (answer, failure) => {
    const { gateway, task } = await startPolled(answer);
    const watch = await watchTask(gateway, task.id);
    const ended = await until(() => watch.next(), 'FAIL');
    expect(ended).toMatchObject({ failure: { ...failure, message: 'it is over' }, videos: [] });
  });
});

describe('a response without a final state changes nothing and causes another query:', () => {
  test.each<readonly [what: string, answer: Answer, warning: string | null]>([
    ['422 "recordInfo is null"', notVisibleYet(), null],
    ['429', refused(429, 'Rate limit exceeded', { http: 429 }), null],
    ['an HTML page', { status: 502, headers: { 'content-type': 'text/html' }, body: '<html></html>' }, null],
    ['a reset', { reset: true }, null],
    ['half an answer', { ...succeeded('kie-1'), cutBodyAfterBytes: 100 }, null],
    ['an answer about another task', succeeded('kie-2'), null],
    ['an unknown state', record('kie-1', { state: 'dreaming' }), 'the unknown state "dreaming"'],
    [
      'a success without an address',
      succeeded('kie-1', '', { resultJson: '' }),
      'a success without a usable result URL',
    ],
  ])('%s', async (_what, answer, reason) => {
    const warnings: object[] = [];
    const provider = await startFakeProvider();
    provider.always('recordInfo', record('kie-1'));
    // Fewer in a row than make the provider count as unreachable.
    provider.answer('recordInfo', answer, answer, answer);
    const warn = (fields: object): void => void warnings.push(fields);
    const wrap = (ports: TaskPorts): TaskPorts => ({ ...ports, log: { ...ports.log, warn } });
    const overrides = { timings: POLLING, wrap };
    const { gateway, task } = await startWithTask({ provider, env: NO_QUERY_LIMIT, overrides });
    for (let query = 0; query < 4; query += 1) await provider.received('recordInfo');
    expect(await readTask(gateway, task.id)).toEqual(task);
    if (reason) expect(warnings).toContainEqual({ task: task.id, providerTaskId: 'kie-1', reason });

    const watch = await watchTask(gateway, task.id);
    provider.always('recordInfo', succeeded('kie-1'));
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ revision: task.revision + 1 });
  });

  test('a response that is older than a callback', async () => {
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
});

test('polling continues after an outage of the provider', async () => {
  const { gateway, provider: before, task } = await startPolled();
  const watch = await watchTask(gateway, task.id);
  await before.received('recordInfo');
  await before.close();
  const provider = await startFakeProvider({ port: before.port });
  provider.always('recordInfo', succeeded('kie-1'));
  expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ failure: null });
});

test('a task has at most one query in flight, and a slow response delays no other task', async () => {
  const provider = await startFakeProvider();
  const slow = deferred('the slow query to be answered');
  provider.always('recordInfo', async ({ query: { taskId = '' } }) => {
    if (taskId === 'kie-1') await slow.promise;
    return succeeded(taskId);
  });
  const { gateway } = await startWithProvider({ ...polled, provider });
  provider.answer('createTask', created('kie-1'), created('kie-2'));
  const [first, second] = [await submit(gateway), await submit(gateway)];
  await (await watchTask(gateway, second.id)).completed();
  expect(await readTask(gateway, first.id)).toMatchObject({ state: 'WAITING' });
  const isAboutFirst = ({ query }: { readonly query: Readonly<Record<string, string>> }): boolean =>
    query['taskId'] === 'kie-1';
  await provider.received('recordInfo', isAboutFirst);
  // Ten intervals.
  await staysPending(provider.received('recordInfo', isAboutFirst), 100);
  slow.resolve();
  await (await watchTask(gateway, first.id)).completed();
});

test('queries stay within the limit per second, also those that callbacks request, and every task is queried', async () => {
  const { checkIntervalMax, checkIntervalMin } = DEFAULT_TIMINGS;
  const clock = createStandingClock();
  const { gateway, provider } = await startWithProvider({
    env: { KIE_QUERIES_PER_S: '5' },
    overrides: { clock, timings: { checkIntervalMax, checkIntervalMin } },
  });
  provider.always('createTask', (request) => created(`kie-${request.order}`));
  provider.always('recordInfo', ({ query: { taskId = '' } }) => record(taskId));
  const tasks = await Promise.all(Array.from({ length: 12 }, () => submit(gateway)));
  const asked: (string | undefined)[] = [];
  const ask = async (count: number, first = provider.received('recordInfo')): Promise<void> => {
    for (let query = 0; query < count; query += 1)
      asked.push((await (query === 0 ? first : provider.received('recordInfo'))).query['taskId']);
  };

  // By now each of them is due: a fifth later at most, and rounded.
  clock.advance(checkIntervalMin * 1.3);
  await ask(5);
  const sixth = provider.received('recordInfo');
  await staysPending(sixth);
  const waiting = provider.requests('createTask').find(({ order }) => !asked.includes(`kie-${order}`));
  if (waiting === undefined) throw new Error('every task was asked about');
  await deliverCallback(gateway.callbackUrl(waiting), callbackSuccess(`kie-${waiting.order}`));
  clock.advance(999);
  await staysPending(sixth);
  clock.advance(1);
  await ask(5, sixth);
  const eleventh = provider.received('recordInfo');
  await staysPending(eleventh);
  clock.advance(1000);
  await ask(2, eleventh);
  await staysPending(provider.received('recordInfo'));
  expect(new Set(asked)).toEqual(new Set(tasks.map(({ providerTaskId }) => providerTaskId)));
  expect(asked).toHaveLength(12);
});

test('unsigned callbacks cause one query at once, and one more in ten seconds', async () => {
  const clock = createStandingClock();
  const { callback, provider } = await startWithTask({
    env: { KIE_WEBHOOK_HMAC_KEYS: '' },
    overrides: { clock },
  });
  provider.always('recordInfo', record('kie-1'));
  for (let sent = 0; sent < 5; sent += 1) await deliverCallback(callback, callbackSuccess('kie-1'));
  await provider.received('recordInfo');
  const second = provider.received('recordInfo');
  clock.advance(9999);
  await staysPending(second);
  clock.advance(1);
  await second;
  // Not longer than the lease of a check: the response may not be stored yet.
  clock.advance(20_000);
  await staysPending(provider.received('recordInfo'));
});
