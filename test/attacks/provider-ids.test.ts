import { describe, expect, test } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import type { ApiTask } from '../kit/documents.ts';
import { startFakeProvider, type FakeProvider } from '../kit/provider.ts';
import { HMAC_KEY, type Gateway } from '../kit/gateway.ts';
import {
  createBody,
  created,
  record,
  succeeded,
  param,
  callbackSuccess,
  deliverCallback,
  sign,
} from '../kit/kie.ts';
import { readTask, startWithProvider, submit } from '../webhooks/called-back.ts';

interface Scene {
  readonly gateway: Gateway;
  readonly provider: FakeProvider;
  /** The task whose create answer was lost, and its addresses here and at the provider. */
  readonly lost: ApiTask;
  readonly callback: string;
  readonly callBackUrl: string;
}

/** Somebody's task that the provider has as `kie-1`, and another one whose create answer was lost. */
async function start(keys: string): Promise<Scene> {
  const provider = await startFakeProvider();
  const { gateway } = await startWithProvider({
    provider,
    env: { KIE_WEBHOOK_HMAC_KEYS: keys },
    overrides: { timings: { bringForwardEvery: 0 } },
  });
  provider.answer('createTask', created('kie-1'), { reset: true });
  await submit(gateway);
  await provider.received('createTask');
  const lost = await submit(gateway);
  const create = await provider.received('createTask');
  const callBackUrl = createBody(create).callBackUrl ?? '';
  return { gateway, provider, lost, callback: gateway.callbackUrl(create), callBackUrl };
}

const WAYS = [
  { way: 'unsigned', keys: '', headers: {}, isProof: false },
  { way: 'signed for it', keys: HMAC_KEY, headers: sign(HMAC_KEY, 'kie-1'), isProof: true },
  { way: 'with a wrong signature', keys: HMAC_KEY, headers: sign('another key', 'kie-1'), isProof: false },
];

describe.each(WAYS)('a callback, $way,', ({ headers, keys }) => {
  test("never gives a task the provider's id of another task", async () => {
    const { callback, gateway, lost, provider } = await start(keys);
    provider.always('recordInfo', succeeded('kie-1'));
    expect((await deliverCallback(callback, callbackSuccess('kie-1'), headers)).status).toBe(409);
    await staysPending(provider.received('recordInfo'));
    expect(await readTask(gateway, lost.id)).toEqual(lost);
  });
});

const elsewhere = param('https://gateway.example.test/webhooks/kie/another-task/another-token');

describe.each(WAYS)('an id that no task has, in a callback $way,', ({ isProof, keys, way }) => {
  const headers = way === 'unsigned' ? {} : sign(isProof ? HMAC_KEY : 'another key', 'kie-9');

  test('is not taken from a body that shows the address of another task', async () => {
    const { callback, gateway, lost } = await start(keys);
    const body = callbackSuccess('kie-9', { param: elsewhere });
    expect((await deliverCallback(callback, body, headers)).status).toBe(409);
    expect(await readTask(gateway, lost.id)).toEqual(lost);
  });

  test('is not taken from a body that says nothing else and shows the address of another task', async () => {
    const { callback, gateway, lost } = await start(keys);
    const body = { code: 200, msg: '', data: { taskId: 'kie-9', param: elsewhere } };
    expect((await deliverCallback(callback, body, headers)).status).toBe(409);
    expect(await readTask(gateway, lost.id)).toEqual(lost);
  });

  test(`is ${isProof ? '' : 'not '}taken without any sign of whom the provider calls back`, async () => {
    const { callback, gateway, lost, provider } = await start(keys);
    provider.always('recordInfo', succeeded('kie-9'));
    await deliverCallback(callback, callbackSuccess('kie-9'), headers);
    if (!isProof) await provider.received('recordInfo');
    await staysPending(provider.received('recordInfo'));
    const providerTaskId = isProof ? 'kie-9' : null;
    expect(await readTask(gateway, lost.id)).toMatchObject({ providerTaskId });
  });
});

test('an id that another task got while the provider was asked about it is not taken', async () => {
  const { callback, callBackUrl, gateway, lost, provider } = await start('');
  provider.answer('recordInfo', async () => {
    provider.answer('createTask', created('kie-9'));
    await submit(gateway);
    return record('kie-9', { param: param(callBackUrl) });
  });
  expect((await deliverCallback(callback, callbackSuccess('kie-9'))).status).toBe(200);
  await provider.received('recordInfo');
  await staysPending(provider.received('recordInfo'));
  expect(await readTask(gateway, lost.id)).toEqual(lost);
});

test('two create answers with the same id leave the second task unknown, and it is not sent again', async () => {
  const { gateway, provider } = await start(HMAC_KEY);
  provider.answer('createTask', created('kie-1'));
  expect(await submit(gateway)).toMatchObject({ state: 'SUBMITTING', providerTaskId: null });
  expect(provider.requests('createTask')).toHaveLength(3);
});
