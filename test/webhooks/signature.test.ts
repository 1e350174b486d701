import { describe, expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import {
  created,
  record,
  succeeded,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithProvider, startWithTask, submit, watchTask } from './called-back.ts';
import { createStandingClock } from './standing-clock.ts';

const seconds = (): number => Math.floor(Date.now() / 1000);

describe('with a right token, a signature that is', () => {
  test.each([
    ['missing', () => ({})],
    ['without its time', () => ({ 'X-Webhook-Signature': sign(HMAC_KEY, 'kie-1')['X-Webhook-Signature'] })],
    ['empty', () => ({ ...sign(HMAC_KEY, 'kie-1'), 'X-Webhook-Signature': '' })],
    ['wrong', () => sign('another-key', 'kie-1')],
    ['made for another task', () => sign(HMAC_KEY, 'kie-2')],
    ['too old', () => sign(HMAC_KEY, 'kie-1', seconds() - 330)],
    ['from the future', () => sign(HMAC_KEY, 'kie-1', seconds() + 330)],
  ])('%s is refused, and the provider is asked for the truth at once', async (_what, makeHeaders) => {
    const { callback, gateway, provider, task } = await startWithTask();
    const watch = await watchTask(gateway, task.id);
    await watch.next();
    provider.answer('recordInfo', succeeded('kie-1'));

    const answer = await deliverCallback(callback, callbackFail('kie-1'), makeHeaders());
    expect(answer.status).toBe(401);
    expect(await watch.next()).toMatchObject({ state: 'SUCCESS', failure: null });
    expect((await provider.received('recordInfo')).query).toEqual({ taskId: 'kie-1' });
  });

  test.each([-290, 290])('%i seconds from our time is right', async (offset) => {
    const { callback } = await startWithTask();
    const headers = sign(HMAC_KEY, 'kie-1', seconds() + offset);
    expect((await deliverCallback(callback, callbackSuccess('kie-1'), headers)).status).toBe(200);
  });

  test('right although kie.ai writes the headers in another case', async () => {
    const { callback } = await startWithTask();
    const headers = Object.fromEntries(
      Object.entries(sign(HMAC_KEY, 'kie-1')).map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect((await deliverCallback(callback, callbackSuccess('kie-1'), headers)).status).toBe(200);
  });
});

test('refused callbacks have the provider asked once in ten seconds and no more', async () => {
  const clock = createStandingClock();
  const { callback, provider } = await startWithTask({ overrides: { clock } });
  provider.always('recordInfo', record('kie-1'));
  const refuse = async (): Promise<void> => {
    const answer = await deliverCallback(callback, callbackSuccess('kie-1'));
    expect(answer.status).toBe(401);
  };

  await refuse();
  await provider.received('recordInfo');
  const second = provider.received('recordInfo');
  await refuse();
  clock.advance(9_999);
  await refuse();
  await staysPending(second);

  clock.advance(1);
  await refuse();
  await second;
  expect(provider.requests('recordInfo')).toHaveLength(2);
});

test('each task has its own ten seconds', async () => {
  const clock = createStandingClock();
  const { callback, gateway, provider } = await startWithTask({ overrides: { clock } });
  provider.answer('createTask', created('kie-2'));
  await submit(gateway);
  const other = gateway.callbackUrl(await provider.received('createTask'));

  provider.answer('recordInfo', record('kie-1'), record('kie-2'));
  await deliverCallback(callback, callbackSuccess('kie-1'));
  expect((await provider.received('recordInfo')).query).toEqual({ taskId: 'kie-1' });
  await deliverCallback(other, callbackSuccess('kie-2'));
  expect((await provider.received('recordInfo')).query).toEqual({ taskId: 'kie-2' });
});

describe('while keys are changed', () => {
  const KIE_WEBHOOK_HMAC_KEYS = 'new-key, old-key';

  test.each(['new-key', 'old-key'])('a callback that was signed with the %s is taken', async (key) => {
    const { callback } = await startWithTask({ env: { KIE_WEBHOOK_HMAC_KEYS } });
    const answer = await deliverCallback(callback, callbackSuccess('kie-1'), sign(key, 'kie-1'));
    expect(answer.status).toBe(200);
  });

  test('a key that was removed signs nothing any more', async () => {
    const first = await startWithTask({ env: { KIE_WEBHOOK_HMAC_KEYS } });
    await first.gateway.close();

    const { dataDir } = first.gateway;
    const { gateway, provider } = await startWithProvider({
      dataDir,
      env: { KIE_WEBHOOK_HMAC_KEYS: 'new-key' },
    });
    provider.answer('recordInfo', record('kie-1'));
    // The address is as good as before: its token lives in the store.
    const callback = gateway.callbackUrl(first.create);
    const body = callbackSuccess('kie-1');
    expect((await deliverCallback(callback, body, sign('old-key', 'kie-1'))).status).toBe(401);
    await provider.received('recordInfo');
    expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'WAITING' });
    expect((await deliverCallback(callback, body, sign('new-key', 'kie-1'))).status).toBe(200);
    expect(await readTask(gateway, first.task.id)).toMatchObject({ state: 'SUCCESS' });
  });
});
