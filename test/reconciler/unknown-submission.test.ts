import { describe, expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import {
  createBody,
  refused,
  succeeded,
  param,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithProvider, submit, watchTask, type CalledBack } from '../webhooks/called-back.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';
import { watchAll } from './polled.ts';

const MINUTE = 60_000;
const signed = sign(HMAC_KEY, 'kie-1');

type Options = Parameters<typeof startWithProvider>[0];

/** A task whose create answer was lost. */
async function startLost(options: Options = {}): Promise<CalledBack> {
  const { gateway, provider } = await startWithProvider(options);
  provider.answer('createTask', { reset: true });
  const task = await submit(gateway);
  const create = await provider.received('createTask');
  return { gateway, provider, task, create, callback: gateway.callbackUrl(create) };
}

/** The same, and nobody called back within the grace period. */
async function startGivenUp(options: Options = {}): Promise<CalledBack> {
  const env = { SUBMISSION_GRACE_MS: '1', ...options.env };
  const scene = await startLost({ env, overrides: { timings: { idleLook: 10 } } });
  await (await watchTask(scene.gateway, scene.task.id)).completed();
  return scene;
}

test('a task whose create response was lost waits half an hour for a callback, and is never sent again', async () => {
  const clock = createStandingClock();
  const { gateway, provider, task } = await startLost({ overrides: { clock } });
  expect(task).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  const watch = await watchTask(gateway, task.id);
  await watch.next();

  const ended = watch.next();
  clock.advance(30 * MINUTE - 1);
  await staysPending(ended);
  clock.advance(1);
  const { failure } = await ended;
  expect(failure).toMatchObject({ code: 'SUBMISSION_UNKNOWN', providerCode: null, retryable: false });
  expect(failure?.message).toContain('https://kie.ai/logs');
  await watch.completed();
  expect(provider.requests()).toHaveLength(1);
});

test('without a callback URL a task whose create response was lost fails at once', async () => {
  const { gateway, provider } = await startWithProvider({ env: { PUBLIC_URL: '' } });
  provider.answer('createTask', { cutAfterBytes: 0 });
  const task = await submit(gateway);
  expect(task).toMatchObject({
    state: 'FAIL',
    failure: { code: 'SUBMISSION_UNKNOWN', retryable: false },
    providerTaskId: null,
  });
  expect(task.failure?.message).toContain('PUBLIC_URL');
  expect(task.failure?.message).toContain('https://kie.ai/logs');
  expect(task.completedAt).not.toBeNull();
  expect(provider.requests()).toHaveLength(1);
});

test.each([
  ['at once, without an address for callbacks', { PUBLIC_URL: '' }],
  ['when no callback came', { SUBMISSION_GRACE_MS: '1' }],
])('an unclear create response is shown in the failure %s', async (_what, env) => {
  const { gateway, provider } = await startWithProvider({ env, overrides: { timings: { idleLook: 10 } } });
  provider.answer('createTask', refused(500, 'image_url file type not supported'));
  const { id } = await submit(gateway);
  await (await watchTask(gateway, id)).completed();
  const { failure } = await readTask(gateway, id);
  expect(failure).toMatchObject({ code: 'SUBMISSION_UNKNOWN', providerCode: '500', retryable: false });
  expect(failure?.message).toContain('image_url file type not supported');
  expect(provider.requests('createTask')).toHaveLength(1);
});

describe('a task that failed with SUBMISSION_UNKNOWN', () => {
  test.each([
    ['a late success', callbackSuccess('kie-1'), { state: 'SUCCESS', failure: null, creditsConsumed: 57 }],
    ['a late failure', callbackFail('kie-1'), { state: 'FAIL', failure: { code: 'SERVER_ERROR' } }],
  ])('is replaced by %s, which every client sees and which is final', async (_what, body, expected) => {
    const { callback, gateway, task } = await startGivenUp();
    const givenUp = await readTask(gateway, task.id);
    expect(givenUp).toMatchObject({ state: 'FAIL', failure: { code: 'SUBMISSION_UNKNOWN' } });

    const next = await watchAll(gateway, givenUp.revision);
    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    const late = await next();
    expect(late).toMatchObject({ id: task.id, providerTaskId: 'kie-1', ...expected });
    expect(Date.parse(late.completedAt ?? '')).toBeGreaterThan(Date.parse(givenUp.completedAt ?? ''));

    for (const other of [callbackFail('kie-1', { failCode: '422' }), callbackSuccess('kie-1')])
      expect((await deliverCallback(callback, other, signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toEqual(late);
  });

  test('is queried when an unsigned callback names an id, and the response counts', async () => {
    const scene = await startGivenUp({ env: { KIE_WEBHOOK_HMAC_KEYS: '' } });
    const { callback, create, gateway, provider, task } = scene;
    const next = await watchAll(gateway, (await readTask(gateway, task.id)).revision);
    const shown = { param: param(createBody(create).callBackUrl) };
    provider.answer('recordInfo', succeeded('kie-1', undefined, shown));
    expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(200);
    expect(await next()).toMatchObject({ id: task.id, state: 'SUCCESS', providerTaskId: 'kie-1' });
  });
});

test('a task that a callback adopted does not fail after the grace period', async () => {
  const clock = createStandingClock();
  const { callback, gateway, provider, task } = await startLost({ overrides: { clock } });
  const waiting = callbackSuccess('kie-1', { state: 'waiting', resultJson: null });
  const headers = sign(HMAC_KEY, 'kie-1', Math.floor(clock.now() / 1000));
  expect((await deliverCallback(callback, waiting, headers)).status).toBe(200);
  expect(await readTask(gateway, task.id)).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });

  const watch = await watchTask(gateway, task.id);
  await watch.next();
  const changed = watch.next();
  clock.advance(30 * MINUTE);
  await staysPending(changed);
  expect(provider.requests()).toHaveLength(1);
});
