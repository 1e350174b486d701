import { describe, expect, it, test } from 'vitest';
import { create, listTasks, type Fields } from '../api/client.ts';
import { startEnding } from '../api/ending.ts';
import { startGateway } from '../kit/gateway.ts';
import { dataOf, graphql, type Document } from '../kit/graphql.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { oncePerFile } from '../kit/waits.ts';
import { estimate, listModels } from './client.ts';

const LAST = 'https://files.example/last.png';

const shared = oncePerFile(async () => {
  const provider = await startFakeProvider();
  return { provider, gateway: await startGateway({ provider }) };
});

describe('without videos, an estimate', () => {
  it.each<readonly [NonNullable<Fields>, credits: number | null]>([
    [{}, 57],
    [{ endImageUrl: LAST }, 57],
    [{ model: 'HAILUO_02_STANDARD' }, 50],
    [{ model: 'HAILUO_02_STANDARD', resolution: 'P512' }, 20],
    [{ model: 'HAILUO_02_STANDARD', resolution: 'P512', durationSeconds: 6 }, 12],
    [{ model: 'HAILUO_02_STANDARD', durationSeconds: 6 }, null],
    [{ model: 'HAILUO_2_3_PRO' }, 45],
    [{ model: 'HAILUO_2_3_PRO', durationSeconds: 10 }, 90],
    [{ model: 'HAILUO_2_3_PRO', resolution: 'P1080' }, 80],
    [{ model: 'HAILUO_2_3_STANDARD' }, 30],
    [{ model: 'HAILUO_2_3_STANDARD', durationSeconds: 10 }, 50],
    [{ model: 'HAILUO_2_3_STANDARD', resolution: 'P1080' }, 50],
    [{ model: 'MINIMAX_H3' }, 6 * 13 + 4],
    [{ model: 'MINIMAX_H3', endImageUrl: LAST, resolution: 'P768', durationSeconds: 15 }, 15 * 8 + 8],
    [{ model: 'KLING_2_5_TURBO' }, 42],
    [{ model: 'KLING_2_5_TURBO', durationSeconds: 10 }, 84],
    [{ model: 'KLING_2_6' }, 55],
    [{ model: 'KLING_2_6', sound: true }, 110],
    [{ model: 'KLING_2_6', sound: true, durationSeconds: 10 }, 220],
    [{ model: 'KLING_3_TURBO', durationSeconds: 4 }, 72],
    [{ model: 'KLING_3_TURBO', resolution: 'P1080', durationSeconds: 3 }, 67.5],
    [{ model: 'SEEDANCE_2_MINI', durationSeconds: 12 }, 98.4],
    [{ model: 'SEEDANCE_2_MINI', durationSeconds: 7, resolution: 'P480' }, 26.6],
    [{ model: 'WAN_2_7' }, 120],
    [{ model: 'WAN_2_7', resolution: 'P720', durationSeconds: 2 }, 32],
  ])('is the price of the list, or unknown: %j costs %s', async (fields, credits) => {
    const { gateway } = await shared();
    expect(await estimate(gateway, fields)).toEqual({
      __typename: 'ImageToVideoEstimate',
      credits,
      source: credits === null ? null : 'PRICE_LIST',
      expectedSeconds: null,
    });
  });

  it('refuses what createImageToVideo refuses', async () => {
    const { gateway } = await shared();
    const wrong = { prompt: '', imageUrl: 'first.png', durationSeconds: 7, seed: 1 };
    expect(await estimate(gateway, { model: 'KLING_2_6', ...wrong })).toEqual({
      __typename: 'ValidationError',
      issues: [
        { path: ['input', 'prompt'], code: 'REQUIRED' },
        { path: ['input', 'imageUrl'], code: 'NOT_A_URL' },
        { path: ['input', 'seed'], code: 'NOT_SUPPORTED' },
        { path: ['input', 'durationSeconds'], code: 'NOT_ALLOWED' },
      ],
    });
  });

  it('fetches no image, because a page of another origin can ask for it', async () => {
    const gateway = await startGateway({ env: { CHECK_IMAGES: 'true' } });
    const fields = { imageUrl: 'http://127.0.0.1:1/first.png' };
    expect((await estimate(gateway, fields)).__typename).toBe('ImageToVideoEstimate');
    expect((await create(gateway, fields)).__typename).toBe('ValidationError');
  });

  it('stores and sends nothing', async () => {
    const { gateway, provider } = await shared();
    await estimate(gateway, { idempotencyKey: 'one' });
    expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
    expect(provider.requests('createTask')).toEqual([]);
  });
});

test('an estimate is what the newest video of the same model, options and number of images was charged', async () => {
  const { begin, gateway } = await startEnding();
  const credits = async (fields: Fields) => {
    const { credits: amount, source } = await estimate(gateway, fields);
    return [amount, source];
  };
  const fields = { model: 'HAILUO_02_STANDARD', durationSeconds: 6 };
  await (await begin(fields)).succeed(31);
  gateway.clock.advance(1000);
  await (await begin(fields)).succeed(33.5);
  gateway.clock.advance(1000);
  // Neither of these has the same price.
  await (await begin(fields)).fail('500');
  await (await begin({ ...fields, endImageUrl: LAST })).succeed(40);
  await (await begin({ ...fields, resolution: 'P512' })).succeed(13);
  await (await begin()).succeed(58);
  expect(await credits(fields)).toEqual([33.5, 'CHARGED']);
  // What does not decide the price may differ.
  expect(await credits({ ...fields, prompt: 'rain', promptOptimizer: true })).toEqual([33.5, 'CHARGED']);
  expect(await credits({ ...fields, endImageUrl: LAST })).toEqual([40, 'CHARGED']);
  expect(await credits({ ...fields, resolution: 'P512' })).toEqual([13, 'CHARGED']);
  expect(await credits({})).toEqual([58, 'CHARGED']);
  expect(await credits({ model: 'HAILUO_02_STANDARD' })).toEqual([50, 'PRICE_LIST']);
});

const EXPECTED: Document<{ readonly task: { readonly expectedAt: string | null } }> =
  'query ($id: ID!) { task(id: $id) { expectedAt } }';

test('expectedAt and expectedSeconds of a model and its options do not depend on other tasks', async () => {
  const { begin, gateway } = await startEnding();
  const expected = async (fields: Fields) => {
    const { expectedSeconds } = await estimate(gateway, fields);
    const { id } = await begin(fields);
    const { task } = dataOf((await graphql(gateway.graphqlUrl, EXPECTED, { id })).body);
    const at = task.expectedAt && (Date.parse(task.expectedAt) - gateway.clock.now()) / 1000;
    expect(at).toBe(expectedSeconds);
    return expectedSeconds;
  };
  const short = { model: 'KLING_2_6', durationSeconds: 5 };
  const KINDS: readonly (readonly [Fields, seconds: number])[] = [
    [short, 20],
    [{ ...short, durationSeconds: 10 }, 90],
    [{ ...short, sound: true }, 300],
    [{}, 7],
  ];
  for (const [fields, seconds] of KINDS) {
    expect(await expected(fields)).toBeNull();
    for (let video = 0; video < 5; video += 1) {
      const task = await begin(fields);
      gateway.clock.advance(seconds * 1000);
      expect(await task.succeed()).toBe(200);
    }
  }
  for (const [fields, seconds] of KINDS) expect(await expected(fields)).toBe(seconds);
});

test('a model is FAILING while most of its last tasks failed by the fault of the provider', async () => {
  const { begin, gateway } = await startEnding();
  const status = async () => {
    const models = await listModels(gateway);
    return Object.fromEntries(models.map((model) => [model.id, model.status]));
  };
  const fields = { model: 'WAN_2_7' };
  for (let task = 0; task < 4; task += 1) {
    await (await begin(fields)).fail('501');
    gateway.clock.advance(1000);
  }
  await (await begin({ model: 'KLING_2_6' })).fail('501');
  expect(new Set(Object.values(await status()))).toEqual(new Set(['AVAILABLE']));
  await (await begin(fields)).fail('422');
  expect(await status()).toMatchObject({ WAN_2_7: 'FAILING', KLING_2_6: 'AVAILABLE' });
  for (let task = 0; task < 3; task += 1) {
    gateway.clock.advance(1000);
    await (await begin(fields)).succeed();
  }
  expect(await status()).toMatchObject({ WAN_2_7: 'AVAILABLE' });
});
