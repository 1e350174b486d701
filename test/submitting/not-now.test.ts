import { describe, expect, test } from 'vitest';
import { create, createTask, findTask } from '../api/client.ts';
import { staysPending } from '../kit/waits.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { created, refused } from '../kit/kie.ts';
import { startStandingGateway, type StandingGateway } from './standing-gateway.ts';

/** Every task is announced at once. */
const env = { CREATE_WAIT_MS: '0' };

/** Fulfilled when it is stored that the provider has put the task off so often. */
async function putOff(gateway: StandingGateway, times: number): Promise<void> {
  await gateway.written((record) => record.notNowCount === times && record.markedAt === null);
}

describe('a task with "not now" of the provider', () => {
  test('is sent again after 1 to 3 s, then with doubled delays', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env });
    const notNow = refused(455, 'Maintenance');
    provider.answer('createTask', notNow, notNow, notNow, created('kie-1'));
    const { id } = await createTask(gateway);
    await provider.received('createTask');
    for (const [times, atLeast, atMost] of [
      [1, 1000, 3000],
      [2, 2000, 6000],
      [3, 4000, 12_000],
    ] as const) {
      await putOff(gateway, times);
      gateway.clock.advance(atLeast - 1);
      const again = provider.received('createTask');
      await staysPending(again);
      gateway.clock.advance(atMost - atLeast + 1);
      await again;
    }
    await gateway.written((record) => record.state === 'WAITING');
    expect(await findTask(gateway, id)).toMatchObject({ state: 'WAITING', providerTaskId: 'kie-1' });
  });

  test.each([
    ['seconds', () => '120'],
    ['a date', (now: number) => new Date(now + 120_000).toUTCString()],
  ])('is sent again at the time of Retry-After, written as %s', async (_, retryAfter) => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env });
    const headers = { 'retry-after': retryAfter(Date.now()) };
    provider.answer('createTask', { ...refused(429, 'slow down'), headers }, created('kie-1'));
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
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({
      provider,
      env: { ...env, SUBMIT_DEADLINE_MS: '900000' },
    });
    const notNow = { ...refused(455, 'Maintenance'), headers: { 'retry-after': '3600' } };
    provider.answer('createTask', refused(429, 'slow down'), notNow, notNow, created('kie-2'));
    const { id } = await createTask(gateway, { idempotencyKey: 'one' });
    await putOff(gateway, 1);
    gateway.clock.advance(3000);
    await putOff(gateway, 2);
    // An hour is too long to wait: at the deadline, counted from the first time, it is tried for the last time.
    gateway.clock.advance(896_999);
    expect(provider.requests('createTask')).toHaveLength(2);
    gateway.clock.advance(1);
    await gateway.written((record) => record.state === 'FAIL');
    expect(provider.requests('createTask')).toHaveLength(3);
    expect(await findTask(gateway, id)).toMatchObject({
      state: 'FAIL',
      failure: { code: 'MAINTENANCE', providerCode: '455', message: 'Maintenance', retryable: true },
    });

    const again = await createTask(gateway, { idempotencyKey: 'one' });
    expect(again.id).not.toBe(id);
    await gateway.written((record) => record.providerTaskId === 'kie-2');
  });

  test('fails with a later refusal', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env });
    provider.answer('createTask', refused(429, 'slow down'), refused(402, 'Top up'));
    const { id } = await createTask(gateway);
    await putOff(gateway, 1);
    gateway.clock.advance(3000);
    await gateway.written((record) => record.state === 'FAIL');
    expect(await findTask(gateway, id)).toMatchObject({
      failure: { code: 'INSUFFICIENT_CREDITS', message: 'Top up', retryable: false },
    });
  });

  test('keeps its key until then: a retry joins it', async () => {
    const provider = await startFakeProvider();
    const gateway = await startStandingGateway({ provider, env });
    provider.answer('createTask', refused(429, 'slow down'));
    const task = await createTask(gateway, { idempotencyKey: 'one' });
    await putOff(gateway, 1);
    expect(await create(gateway, { idempotencyKey: 'one' })).toMatchObject({ task: { id: task.id } });
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test('a full queue still answers a retry of a queued task', async () => {
  const provider = await startFakeProvider();
  const gateway = await startStandingGateway({
    provider,
    env: { ...env, KIE_CREATES_PER_10S: '1' },
    overrides: { timings: { queueLimit: 0 } },
  });
  provider.answer('createTask', created('kie-1'));
  await createTask(gateway);
  await gateway.written((record) => record.providerTaskId === 'kie-1');
  const waiting = await createTask(gateway, { idempotencyKey: 'one' });
  expect(await create(gateway)).toMatchObject({ code: 'RATE_LIMITED' });
  expect(await create(gateway, { idempotencyKey: 'two' })).toMatchObject({ code: 'RATE_LIMITED' });
  expect(await createTask(gateway, { idempotencyKey: 'one' })).toEqual(waiting);
});
