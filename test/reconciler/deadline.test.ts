import { describe, expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { startFakeProvider, type Answer } from '../kit/provider.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import {
  notVisibleYet,
  record,
  refused,
  succeeded,
  callbackFail,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithTask, watchTask, type CalledBack } from '../webhooks/called-back.ts';
import { createStandingClock, type StandingClock } from '../webhooks/standing-clock.ts';
import { until, watchAll } from './polled.ts';

const signed = sign(HMAC_KEY, 'kie-1');
const DAY = 24 * 60 * 60 * 1000;

interface Expired extends CalledBack {
  readonly clock: StandingClock;
}

/** A task whose time is over: the only query found it running. Its clock stands, so that no other query is due. */
async function startExpired(env: Readonly<Record<string, string>> = {}): Promise<Expired> {
  // The time is over at the real time, for which callbacks are signed.
  const clock = createStandingClock(Date.now() - DAY);
  const provider = await startFakeProvider();
  provider.answer('recordInfo', record('kie-1', { state: 'generating' }));
  const timings = { checkIntervalMin: 5000, checkIntervalMax: DAY };
  const scene = await startWithTask({ provider, env, overrides: { clock, timings } });
  const watch = await watchTask(scene.gateway, scene.task.id);
  clock.advance(DAY);
  await watch.completed();
  return { ...scene, clock };
}

test('a task without a final state in time is EXPIRED, and its message says where to look before a retry', async () => {
  const { clock, gateway, provider, task } = await startExpired();
  const ended = await readTask(gateway, task.id);
  expect(ended).toMatchObject({
    state: 'FAIL',
    failure: { code: 'EXPIRED', providerCode: null, retryable: false },
    providerTaskId: 'kie-1',
    videos: [],
  });
  expect(ended.failure?.message).toContain('https://kie.ai/logs');
  expect(ended.completedAt).not.toBeNull();
  const { order: last } = await provider.received('recordInfo');
  clock.advance(DAY);
  await staysPending(
    provider.received('recordInfo', ({ order }) => order > last),
    100,
  );
});

describe('at the deadline of 24 hours the provider is queried once more:', () => {
  test.each<readonly [what: string, answer: Answer, failure: object]>([
    ['still running', record('kie-1', { state: 'generating' }), { code: 'EXPIRED' }],
    ['forgotten by then', notVisibleYet(), { code: 'EXPIRED' }],
    ['no answer at all', { reset: true }, { code: 'EXPIRED' }],
    ['failed', refused(501, 'it is over'), { code: 'GENERATION_FAILED' }],
  ])('%s', async (_what, answer, failure) => {
    const clock = createStandingClock();
    const { gateway, provider, task } = await startWithTask({
      overrides: { clock, timings: { checkIntervalMin: 5000, checkIntervalMax: 300_000 } },
    });
    provider.answer('recordInfo', answer);
    const watch = await watchTask(gateway, task.id);
    clock.advance(DAY);
    const ended = await until(() => watch.next(), 'FAIL');
    expect(ended).toMatchObject({ failure });
    expect(Date.parse(ended.completedAt ?? '') - Date.parse(ended.createdAt)).toBe(DAY);
  });

  test('a finished task gets its video', async () => {
    const clock = createStandingClock();
    const { gateway, provider, task } = await startWithTask({
      overrides: { clock, timings: { checkIntervalMin: 5000, checkIntervalMax: 300_000 } },
    });
    provider.answer('recordInfo', succeeded('kie-1'));
    const watch = await watchTask(gateway, task.id);
    clock.advance(DAY);
    expect(await until(() => watch.next(), 'SUCCESS')).toMatchObject({ failure: null });
  });
});

test('an EXPIRED task shows the last message of the provider and the credits', async () => {
  const clock = createStandingClock();
  const { gateway, provider, task } = await startWithTask({
    overrides: { clock, timings: { checkIntervalMin: 5000, checkIntervalMax: DAY } },
  });
  const odd = { state: 'dreaming', failMsg: 'it takes a while', creditsConsumed: 57 };
  provider.answer('recordInfo', record('kie-1', odd), { reset: true });
  const watch = await watchTask(gateway, task.id);
  // The first check is due after 5 s, ±20 %, at a whole second.
  clock.advance(7000);
  await provider.received('recordInfo');
  clock.advance(DAY);
  const ended = await until(() => watch.next(), 'FAIL');
  expect(ended).toMatchObject({ failure: { code: 'EXPIRED', retryable: false }, creditsConsumed: 57 });
  expect(ended.failure?.message).toMatch(/logs .* The provider last said: it takes a while$/);
});

describe('an EXPIRED task', () => {
  test.each([
    ['a late success', callbackSuccess('kie-1'), { state: 'SUCCESS', failure: null, creditsConsumed: 57 }],
    ['a late failure', callbackFail('kie-1'), { state: 'FAIL', failure: { code: 'SERVER_ERROR' } }],
  ])('is replaced by %s, which every client sees and which is final', async (_what, body, expected) => {
    const { callback, clock, gateway, task } = await startExpired();
    const expired = await readTask(gateway, task.id);
    const next = await watchAll(gateway, expired.revision);
    clock.advance(1);
    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    const late = await next();
    expect(late).toMatchObject({ id: task.id, ...expected });
    expect(Date.parse(late.completedAt ?? '')).toBeGreaterThan(Date.parse(expired.completedAt ?? ''));

    for (const other of [callbackFail('kie-1', { failCode: '422' }), callbackSuccess('kie-1')])
      expect((await deliverCallback(callback, other, signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toEqual(late);
  });

  test('is not replaced by a late intermediate state', async () => {
    const { callback, gateway, task } = await startExpired();
    const expired = await readTask(gateway, task.id);
    const body = callbackSuccess('kie-1', { state: 'generating' });
    expect((await deliverCallback(callback, body, signed)).status).toBe(200);
    expect(await readTask(gateway, task.id)).toEqual(expired);
  });

  test('is queried again after an unsigned callback', async () => {
    const { callback, gateway, provider, task } = await startExpired({ KIE_WEBHOOK_HMAC_KEYS: '' });
    const next = await watchAll(gateway, (await readTask(gateway, task.id)).revision);
    provider.answer('recordInfo', succeeded('kie-1'));
    expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(200);
    expect(await next()).toMatchObject({ id: task.id, state: 'SUCCESS', failure: null });
  });

  test('is queried again after a callback with a wrong signature', async () => {
    const { callback, gateway, provider, task } = await startExpired();
    const next = await watchAll(gateway, (await readTask(gateway, task.id)).revision);
    provider.answer('recordInfo', succeeded('kie-1'));
    expect((await deliverCallback(callback, callbackFail('kie-1'))).status).toBe(401);
    expect(await next()).toMatchObject({ id: task.id, state: 'SUCCESS', failure: null });
  });
});
