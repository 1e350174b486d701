import { describe, expect, test } from 'vitest';
import { settleSubmission } from '../../src/tasks/submitter.ts';
import { createTask, findTask } from '../api/client.ts';
import { deferred, type Deferred } from '../kit/waits.ts';
import { startFakeProvider, type FakeProvider, type Answer } from '../kit/provider.ts';
import {
  createBody,
  created,
  notVisibleYet,
  refused,
  succeeded,
  param,
  deliverCallback,
  callbackSuccess,
} from '../kit/kie.ts';
import { startStandingGateway, type StandingGateway } from './standing-gateway.ts';

const MINUTE = 60_000;

interface Scene {
  readonly provider: FakeProvider;
  readonly gateway: StandingGateway;
  readonly answer: Deferred<void>;
  readonly id: string;
  /** The address as the provider knows it. */
  readonly callBackUrl: string | undefined;
}

/** A task whose create call is in flight here, and which another replica took for lost: this one was held up. */
async function startUnknown(late: Answer, env: Record<string, string> = {}): Promise<Scene> {
  const provider = await startFakeProvider();
  const answer = deferred();
  provider.answer('createTask', { ...late, gate: answer.promise });
  const gateway = await startStandingGateway({ provider, env: { CREATE_WAIT_MS: '0', ...env } });
  const { id } = await createTask(gateway, { idempotencyKey: 'one' });
  const create = await provider.received('createTask');
  const sent = await gateway.ports.store.get(id);
  if (!sent) throw new Error('the task is gone');
  await settleSubmission(gateway.ports, sent, { kind: 'unknown', reason: 'no outcome was written in time' });
  await gateway.written((record) => record.unknownSince !== null || record.state === 'FAIL');
  return { provider, gateway, answer, id, callBackUrl: createBody(create).callBackUrl };
}

/** The same, after the grace period. */
async function startGivenUp(late: Answer): Promise<Scene> {
  const scene = await startUnknown(late);
  scene.gateway.clock.advance(30 * MINUTE);
  await scene.gateway.written((record) => record.state === 'FAIL');
  expect(await findTask(scene.gateway, scene.id)).toMatchObject({ failure: { code: 'SUBMISSION_UNKNOWN' } });
  return scene;
}

describe('a response after its call was declared lost:', () => {
  test('accepted continues the task', async () => {
    const { answer, gateway, id } = await startUnknown(created('kie-1'));
    answer.resolve();
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'WAITING' });
  });

  test('refused fails the task and frees its key', async () => {
    const { answer, gateway, id, provider } = await startUnknown(refused(402, 'Top up'));
    answer.resolve();
    await gateway.written((record) => record.state === 'FAIL');
    expect(await findTask(gateway, id)).toMatchObject({
      failure: { code: 'INSUFFICIENT_CREDITS', message: 'Top up' },
    });
    provider.answer('createTask', created('kie-2'));
    expect((await createTask(gateway, { idempotencyKey: 'one' })).id).not.toBe(id);
    await gateway.written((record) => record.providerTaskId === 'kie-2');
  });

  test('not now sends the task again, because nothing was created', async () => {
    const { answer, gateway, id, provider } = await startUnknown(refused(429, 'slow down'));
    provider.answer('createTask', created('kie-2'));
    answer.resolve();
    await gateway.written((record) => record.notNowCount === 1);
    gateway.clock.advance(3000);
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, 'kie-2')).toMatchObject({ id });
  });
});

test('a call in flight in this process is never declared lost', async () => {
  const provider = await startFakeProvider();
  const answer = deferred();
  provider.answer('createTask', { ...created('kie-1'), gate: answer.promise });
  const gateway = await startStandingGateway({ provider, env: { CREATE_WAIT_MS: '0', PUBLIC_URL: '' } });
  const { id } = await createTask(gateway);
  await provider.received('createTask');
  gateway.clock.advance(90_000);
  await gateway.written((record) => (record.nextCheckAt ?? 0) > gateway.clock.now());
  expect(await findTask(gateway, id)).toMatchObject({ state: 'SUBMITTING', failure: null });
  answer.resolve();
  await gateway.written((record) => record.state === 'WAITING');
  expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'WAITING' });
});

test('a call that is declared lost while it ends with "not now" is sent again', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', refused(429, 'slow down'), created('kie-2'));
  const gateway = await startStandingGateway({ provider, env: { CREATE_WAIT_MS: '0' } });
  const { id } = await createTask(gateway);
  const putOff = await gateway.written((record) => record.notNowCount === 1);
  // The reconciler has read the task before, with its mark.
  const read = { ...putOff, markedAt: putOff.createdAt };
  await settleSubmission(gateway.ports, read, { kind: 'unknown', reason: 'no outcome was written in time' });
  gateway.clock.advance(3000);
  await gateway.written((record) => record.state === 'WAITING');
  expect(await findTask(gateway, 'kie-2')).toMatchObject({ id });
});

describe('a response after its task failed with SUBMISSION_UNKNOWN:', () => {
  test('accepted starts polling, and the real outcome replaces the failure', async () => {
    const { answer, callBackUrl, gateway, id, provider } = await startGivenUp(created('kie-1'));
    const shown = { param: param(callBackUrl) };
    provider.answer('recordInfo', notVisibleYet(), succeeded('kie-1', undefined, shown));
    answer.resolve();
    await gateway.written((record) => record.unverifiedProviderTaskId === 'kie-1');
    gateway.clock.advance(5000);
    await provider.received('recordInfo');
    await gateway.written((record) => record.unverifiedProviderTaskId === 'kie-1');
    gateway.clock.advance(20 * MINUTE);
    await gateway.written((record) => record.state === 'SUCCESS');
    expect(await findTask(gateway, id)).toMatchObject({ failure: null, providerTaskId: 'kie-1' });
  });

  test('refused replaces the failure and frees the key', async () => {
    const { answer, gateway, id, provider } = await startGivenUp(refused(402, 'Top up'));
    answer.resolve();
    await gateway.written((record) => record.failure?.code === 'INSUFFICIENT_CREDITS');
    provider.answer('createTask', created('kie-2'));
    expect((await createTask(gateway, { idempotencyKey: 'one' })).id).not.toBe(id);
    await gateway.written((record) => record.providerTaskId === 'kie-2');
  });

  test('not now makes the failure retryable, because nothing was created', async () => {
    const { answer, gateway, id, provider } = await startGivenUp(refused(429, 'slow down'));
    answer.resolve();
    await gateway.written((record) => record.failure?.code === 'RATE_LIMITED');
    expect(await findTask(gateway, id)).toMatchObject({ state: 'FAIL', failure: { retryable: true } });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('an id from an earlier unsigned callback is queried soon after the response was lost, not after the grace period', async () => {
  const provider = await startFakeProvider();
  const answer = deferred();
  provider.answer('createTask', { reset: true, gate: answer.promise });
  const env = { CREATE_WAIT_MS: '0', KIE_WEBHOOK_HMAC_KEYS: '' };
  const gateway = await startStandingGateway({ provider, env });
  const { id } = await createTask(gateway);
  const create = await provider.received('createTask');
  const callback = gateway.callbackUrl(create);
  const shown = { param: param(createBody(create).callBackUrl) };
  provider.answer('recordInfo', notVisibleYet(), succeeded('kie-1', undefined, shown));
  await deliverCallback(callback, callbackSuccess('kie-1'));
  await provider.received('recordInfo');
  await gateway.written((record) => record.unverifiedProviderTaskId !== null);
  answer.resolve();
  await gateway.written((record) => record.unknownSince !== null);
  gateway.clock.advance(10_000);
  await gateway.written((record) => record.state === 'SUCCESS');
  expect(await findTask(gateway, 'kie-1')).toMatchObject({ id, state: 'SUCCESS' });
});

test('a task that fails at once without callbacks keeps its key, because it may be paid for', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', { reset: true });
  const gateway = await startStandingGateway({ provider, env: { PUBLIC_URL: '' } });
  const task = await createTask(gateway, { idempotencyKey: 'one' });
  expect(task).toMatchObject({ state: 'FAIL', failure: { code: 'SUBMISSION_UNKNOWN' } });
  expect(await createTask(gateway, { idempotencyKey: 'one' })).toEqual(task);
  expect(provider.requests('createTask')).toHaveLength(1);
});
