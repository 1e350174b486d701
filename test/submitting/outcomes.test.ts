import { describe, expect, test } from 'vitest';
import { settleSubmission } from '../../src/tasks/submitter.ts';
import { create, createTask, findTask } from '../api/client.ts';
import * as kie from '../kit/kie.ts';
import { created, notVisibleYet, refused, succeeded } from '../kit/kie.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { startStandingGateway, type StandingGateway } from './standing-gateway.ts';

const MINUTE = 60_000;
/** Every task is announced at once. */
const env = { CREATE_WAIT_MS: '0' };

async function start(answers: readonly Answer[], more: Readonly<Record<string, string>> = {}) {
  const provider = await startFakeProvider();
  provider.answer('createTask', ...answers);
  return { provider, gateway: await startStandingGateway({ provider, env: { ...env, ...more } }) };
}

/** Fulfilled when it is stored that the provider has put the task off so often. */
async function putOff(gateway: StandingGateway, times: number): Promise<void> {
  await gateway.written((record) => record.notNowCount === times && record.markedAt === null);
}

test.each([
  ['accepted', created('kie-1'), { task: { state: 'WAITING', providerTaskId: 'kie-1' } }],
  ['refused', refused(402, 'Top up'), { code: 'INSUFFICIENT_CREDITS', message: 'Top up' }],
  ['unknown', { reset: true }, { task: { state: 'SUBMITTING' } }],
])('an outcome answers the mutation at once: %s', async (_how, answer, expected) => {
  const { gateway } = await start([answer], { CREATE_WAIT_MS: '15000' });
  // The clock stands still, so that nobody looks at the store again.
  expect(await create(gateway)).toMatchObject(expected);
});

describe('a task with "not now" of the provider', () => {
  const notNow = refused(455, 'Maintenance');

  test('keeps its key, and is sent again after 1 to 3 s, then with doubled delays', async () => {
    const { gateway, provider } = await start([notNow, notNow, notNow, created('kie-1')]);
    const { id } = await createTask(gateway, { idempotencyKey: 'one' });
    await provider.received('createTask');
    for (const [index, atLeast] of [1000, 2000, 4000].entries()) {
      await putOff(gateway, index + 1);
      expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({ task: { id } });
      gateway.clock.advance(atLeast - 1);
      const again = provider.received('createTask');
      await staysPending(again);
      gateway.clock.advance(2 * atLeast + 1);
      await again;
    }
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, id)).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
  });

  test.each([
    ['seconds', () => '120'],
    ['a date', (now: number) => new Date(now + 120_000).toUTCString()],
  ])('is sent again at the time of Retry-After, written as %s', async (_, retryAfter) => {
    const headers = { 'retry-after': retryAfter(Date.now()) };
    const { gateway, provider } = await start([{ ...refused(429, 'slow down'), headers }, created('kie-1')]);
    await createTask(gateway);
    await provider.received('createTask');
    await putOff(gateway, 1);
    // A date has whole seconds, and is read by the clock on the wall, which goes on.
    gateway.clock.advance(115_000);
    const again = provider.received('createTask');
    await staysPending(again);
    gateway.clock.advance(5000);
    await again;
    await gateway.written((record) => record.state === 'WAITING');
  });

  test('fails at the submit deadline with that code, is retryable, and frees its key', async () => {
    const late = { ...notNow, headers: { 'retry-after': '880' } };
    const answers = [refused(429, 'slow down'), late, notNow, notNow, created('kie-2')];
    const { gateway, provider } = await start(answers, { SUBMIT_DEADLINE_MS: '900000' });
    const { id } = await createTask(gateway, { idempotencyKey: 'one' });
    await putOff(gateway, 1);
    gateway.clock.advance(3000);
    await putOff(gateway, 2);
    // At the deadline, counted from the first time, it is tried for the last time.
    gateway.clock.advance(896_999);
    await putOff(gateway, 3);
    gateway.clock.advance(1);
    await gateway.written((record) => record.state === 'FAIL');
    expect(provider.requests('createTask')).toHaveLength(4);
    expect(await findTask(gateway, id)).toMatchObject({
      state: 'FAIL',
      failure: { code: 'MAINTENANCE', providerCode: '455', message: 'Maintenance', retryable: true },
    });
    expect((await createTask(gateway, { idempotencyKey: 'one' })).id).not.toBe(id);
    await gateway.written((record) => record.providerTaskId === 'kie-2');
  });

  test('fails at once if Retry-After is beyond the submit deadline, so that no call comes too early', async () => {
    const hourly = { ...notNow, headers: { 'retry-after': '3600' } };
    const { gateway, provider } = await start([hourly], {
      SUBMIT_DEADLINE_MS: '900000',
      CREATE_WAIT_MS: '15000',
    });
    expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({
      code: 'MAINTENANCE',
      retryable: true,
    });
    await provider.received('createTask');
    gateway.clock.advance(3_600_000);
    await staysPending(provider.received('createTask'));
    provider.answer('createTask', created('kie-2'));
    expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({
      task: { providerTaskId: 'kie-2' },
    });
  });

  test('is sent again although another replica declares the call lost meanwhile', async () => {
    const { gateway } = await start([refused(429, 'slow down'), created('kie-2')]);
    const { id } = await createTask(gateway);
    const record = await gateway.written(({ notNowCount }) => notNowCount === 1);
    // The other replica has read the task before, with its mark.
    const read = { ...record, markedAt: record.createdAt };
    await settleSubmission(gateway.ports, read, {
      kind: 'unknown',
      reason: 'no outcome was written in time',
    });
    gateway.clock.advance(3000);
    await gateway.written((one) => one.state === 'WAITING');
    expect(await findTask(gateway, 'kie-2')).toMatchObject({ id });
  });
});

/** A task whose create call is in flight here, and which another replica took for lost: this one was held up. */
async function startUnknown(late: Answer) {
  const answer = deferred();
  const { gateway, provider } = await start([{ ...late, gate: answer.promise }]);
  const { id } = await createTask(gateway, { idempotencyKey: 'one' });
  const call = await provider.received('createTask');
  const sent = await gateway.ports.store.get(id);
  if (!sent) throw new Error('the task is gone');
  await settleSubmission(gateway.ports, sent, { kind: 'unknown', reason: 'no outcome was written in time' });
  await gateway.written((record) => record.unknownSince !== null);
  const shown = { param: kie.param(kie.createBody(call).callBackUrl) };
  return { provider, gateway, id, shown, answer: answer.resolve };
}

/** The same, after the grace period. */
async function startGivenUp(late: Answer) {
  const scene = await startUnknown(late);
  scene.gateway.clock.advance(30 * MINUTE);
  await scene.gateway.written((record) => record.state === 'FAIL');
  expect(await findTask(scene.gateway, scene.id)).toMatchObject({ failure: { code: 'SUBMISSION_UNKNOWN' } });
  return scene;
}

describe('a response after its call was declared lost:', () => {
  test('accepted continues the task', async () => {
    const { answer, gateway, id } = await startUnknown(created('kie-1'));
    answer();
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'WAITING' });
  });

  test('not now sends the task again, because nothing was created', async () => {
    const { answer, gateway, id, provider } = await startUnknown(refused(429, 'slow down'));
    provider.answer('createTask', created('kie-2'));
    answer();
    await putOff(gateway, 1);
    gateway.clock.advance(3000);
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, 'kie-2')).toMatchObject({ id });
  });

  test.each([
    ['while it is waited for', startUnknown],
    ['after its task failed with SUBMISSION_UNKNOWN', startGivenUp],
  ])('refused %s fails the task and frees its key', async (_when, startScene) => {
    const { answer, gateway, id, provider } = await startScene(refused(402, 'Top up'));
    answer();
    await gateway.written((record) => record.failure?.code === 'INSUFFICIENT_CREDITS');
    expect(await findTask(gateway, id)).toMatchObject({ failure: { message: 'Top up' } });
    provider.answer('createTask', created('kie-2'));
    expect((await createTask(gateway, { idempotencyKey: 'one' })).id).not.toBe(id);
    await gateway.written((record) => record.providerTaskId === 'kie-2');
  });

  test('accepted after its task failed starts polling, and the real outcome replaces the failure', async () => {
    const { answer, gateway, id, provider, shown } = await startGivenUp(created('kie-1'));
    provider.answer('recordInfo', notVisibleYet(), succeeded('kie-1', undefined, shown));
    answer();
    await gateway.written((record) => record.unverifiedProviderTaskId === 'kie-1');
    gateway.clock.advance(5000);
    await provider.received('recordInfo');
    await gateway.written((record) => record.unverifiedProviderTaskId === 'kie-1');
    gateway.clock.advance(20 * MINUTE);
    await gateway.written((record) => record.state === 'SUCCESS');
    expect(await findTask(gateway, id)).toMatchObject({ failure: null, providerTaskId: 'kie-1' });
  });

  test('not now after its task failed makes the failure retryable, because nothing was created', async () => {
    const { answer, gateway, id, provider } = await startGivenUp(refused(429, 'slow down'));
    answer();
    await gateway.written((record) => record.failure?.code === 'RATE_LIMITED');
    expect(await findTask(gateway, id)).toMatchObject({ state: 'FAIL', failure: { retryable: true } });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('a call in flight in this process is never declared lost', async () => {
  const answer = deferred();
  const { gateway, provider } = await start([{ ...created('kie-1'), gate: answer.promise }], {
    PUBLIC_URL: '',
  });
  const { id } = await createTask(gateway);
  await provider.received('createTask');
  gateway.clock.advance(90_000);
  await gateway.written((record) => (record.nextCheckAt ?? 0) > gateway.clock.now());
  expect(await findTask(gateway, id)).toMatchObject({ state: 'SUBMITTING', failure: null });
  answer.resolve();
  await gateway.written((record) => record.state === 'WAITING');
  expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'WAITING' });
});

test.each<[string, Answer]>([
  ['lost', { reset: true }],
  ['put off', refused(429, 'slow down')],
  ['refused', refused(402, 'Top up')],
])(
  'a task that an unsigned callback names while its create call is %s is queried soon, not after the grace period, and not sent again',
  async (_, answer) => {
    const answered = deferred();
    const { gateway, provider } = await start([{ ...answer, gate: answered.promise }], {
      KIE_WEBHOOK_HMAC_KEYS: '',
    });
    const { id } = await createTask(gateway, { idempotencyKey: 'one' });
    const call = await provider.received('createTask');
    const shown = { param: kie.param(kie.createBody(call).callBackUrl) };
    provider.answer('recordInfo', notVisibleYet(), succeeded('kie-1', undefined, shown));
    await kie.deliverCallback(gateway.callbackUrl(call), kie.callbackSuccess('kie-1'));
    await provider.received('recordInfo');
    await gateway.written((record) => record.unverifiedProviderTaskId !== null);
    answered.resolve();
    await gateway.written((record) => record.unknownSince !== null);
    expect(await createTask(gateway, { idempotencyKey: 'one' })).toMatchObject({ id, state: 'SUBMITTING' });
    gateway.clock.advance(10_000);
    await gateway.written((record) => record.state === 'SUCCESS');
    expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'SUCCESS' });
    expect(provider.requests('createTask')).toHaveLength(1);
  },
);

test('a task that fails at once without callbacks keeps its key, because it may be paid for', async () => {
  const { gateway, provider } = await start([{ reset: true }], { PUBLIC_URL: '', CREATE_WAIT_MS: '15000' });
  const task = await createTask(gateway, { idempotencyKey: 'one' });
  expect(task).toMatchObject({ state: 'FAIL', failure: { code: 'SUBMISSION_UNKNOWN' } });
  expect(await createTask(gateway, { idempotencyKey: 'one' })).toEqual(task);
  expect(provider.requests('createTask')).toHaveLength(1);
});
