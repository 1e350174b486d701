import { expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { callbackSuccess, deliverCallback, refused, sign } from '../kit/kie.ts';
import { readTask, startWithProvider, submit, watchTask, type CalledBack } from '../webhooks/called-back.ts';
import { createStandingClock } from '../webhooks/standing-clock.ts';

const MINUTE = 60_000;

type Options = Parameters<typeof startWithProvider>[0];

/** A task whose create answer was lost. */
async function startLost(options: Options = {}): Promise<CalledBack> {
  const { gateway, provider } = await startWithProvider(options);
  provider.answer('createTask', { reset: true });
  const task = await submit(gateway);
  const create = await provider.received('createTask');
  return { gateway, provider, task, create, callback: gateway.callbackUrl(create) };
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
