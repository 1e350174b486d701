import { describe, expect, it, test } from 'vitest';
import { create, createTask, listTasks } from '../api/client.ts';
import { startGateway, type GatewayOptions } from '../kit/gateway.ts';
import { created, refused } from '../kit/kie.ts';
import { startFakeProvider, type AnswerSource } from '../kit/provider.ts';
import { deferred, staysPending } from '../kit/waits.ts';
import { estimate, listModels } from './client.ts';

async function start(models: string, answers: readonly AnswerSource[] = [], options: GatewayOptions = {}) {
  const provider = options.provider ?? (await startFakeProvider());
  provider.answer('createTask', ...answers);
  return { provider, gateway: await startGateway({ ...options, provider, env: { MODELS: models } }) };
}

const UNAVAILABLE = {
  __typename: 'ProviderError',
  code: 'MODEL_UNAVAILABLE',
  providerCode: null,
  retryable: false,
};

describe('a model that MODELS leaves out', () => {
  it.each([
    ['another model', 'HAILUO_02_PRO,WAN_2_7', { model: 'KLING_2_6' }],
    ['the default model', 'WAN_2_7', {}],
    ['the default model by name', 'WAN_2_7', { model: 'HAILUO_02_PRO' }],
  ])('is unavailable, and nothing is stored or sent: %s', async (_, models, fields) => {
    const { gateway, provider } = await start(models);
    const message = expect.stringContaining(models.replace(',', ', ')) as string;
    expect(await create(gateway, fields)).toEqual({ ...UNAVAILABLE, message });
    expect(await estimate(gateway, fields)).toEqual({
      __typename: 'ProviderError',
      code: 'MODEL_UNAVAILABLE',
    });
    expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
    expect(provider.requests()).toEqual([]);
  });

  it('still gives a retry the task of its key', async () => {
    const fields = { model: 'KLING_2_6', idempotencyKey: 'one' };
    const first = await start('KLING_2_6', [created('kie-1')]);
    const task = await createTask(first.gateway, fields);
    await first.gateway.close();
    const { dataDir } = first.gateway;
    const { gateway, provider } = await start('WAN_2_7', [], { provider: first.provider, dataDir });
    expect(await createTask(gateway, fields)).toEqual(task);
    expect(await create(gateway, { ...fields, idempotencyKey: 'two' })).toMatchObject(UNAVAILABLE);
    expect(provider.requests('createTask')).toHaveLength(1);
  });

  it('is unavailable for a key that another input had and lost through a refusal', async () => {
    const gate = deferred();
    const { gateway, provider } = await start('WAN_2_7', [{ ...refused(402, 'no'), gate: gate.promise }]);
    const first = create(gateway, { model: 'WAN_2_7', idempotencyKey: 'one' });
    await provider.received('createTask');
    const second = create(gateway, { model: 'KLING_2_6', idempotencyKey: 'one' });
    await staysPending(second);
    gate.resolve();
    expect(await first).toMatchObject({ code: 'INSUFFICIENT_CREDITS' });
    expect(await second).toMatchObject(UNAVAILABLE);
    expect(provider.requests('createTask')).toHaveLength(1);
  });
});

test.each([
  ['WAN_2_7,HAILUO_02_PRO,KLING_2_6', ['HAILUO_02_PRO', 'KLING_2_6', 'WAN_2_7']],
  [' SEEDANCE_2_MINI ,', ['SEEDANCE_2_MINI']],
])('with MODELS=%s, `models` lists the offered ones, the default first', async (models, ids) => {
  const { gateway } = await start(models);
  expect((await listModels(gateway)).map(({ id }) => id)).toEqual(ids);
});

describe('a provider that does not know a model, or has paused it,', () => {
  const CASES = [
    [404, 'Not found', 'NOT_FOUND'],
    [505, 'The feature is disabled', 'FEATURE_DISABLED'],
    [422, 'The page does not exist or is not published', 'INVALID_INPUT'],
  ] as const;

  it.each(CASES)('makes it unavailable: %i %s', async (code, message) => {
    const { gateway } = await start('', [refused(code, message)]);
    const said = expect.stringContaining(message) as string;
    const expected = { ...UNAVAILABLE, providerCode: String(code), message: said };
    expect(await create(gateway, { model: 'KLING_2_6' })).toEqual(expected);
    expect((await listTasks(gateway)).edges).toEqual([]);
  });

  it.each(CASES)(
    'gives the default model the code of version 0.1.0: %i %s',
    async (code, message, expected) => {
      const { gateway } = await start('', [refused(code, message)]);
      expect(await create(gateway)).toMatchObject({ code: expected, providerCode: String(code), message });
    },
  );

  it.each(['The prompt is too long', 'The image format is not supported', 'image_url does not exist'])(
    'makes no model unavailable by a 422 about the input: %s',
    async (message) => {
      const { gateway } = await start('', [refused(422, message)]);
      expect(await create(gateway, { model: 'KLING_2_6' })).toMatchObject({ code: 'INVALID_INPUT' });
    },
  );
});
