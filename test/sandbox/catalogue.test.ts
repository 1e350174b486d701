import { expect, it, vi } from 'vitest';
import { MODELS } from '../../src/sandbox/models.ts';
import { onTestEnd } from '../kit/waits.ts';
import { startClient } from './client.ts';

const LIST = '/api/v1/models';
const PRO = `${LIST}/hailuo/02-image-to-video-pro`;

it.each([
  ['', MODELS.length],
  ['?taskType=Text%20to%20Video,Image%20to%20Video', MODELS.length],
  ['?taskType=Text+to+Video', 0],
  ['?provider=Kling', 3],
  ['?provider=Kling&q=turbo', 2],
  ['?q=nothing-like-it', 0],
])('the catalogue lists the models that %j asks for', async (query, total) => {
  const sandbox = await startClient();
  const { code, data } = await sandbox.call(`${LIST}${query}`);
  expect({ code, data }).toMatchObject({ code: 200, data: { total } });
  expect((data as { readonly models: readonly object[] }).models).toHaveLength(total);
});

it('the catalogue says of a model in the list and below it what it is and costs', async () => {
  const sandbox = await startClient({ lookupsPerS: 10 });
  const { data } = await sandbox.call(`${LIST}?q=02%20Pro`);
  expect(data).toEqual({
    total: 1,
    models: [
      {
        model: 'hailuo/02-image-to-video-pro',
        slug: 'hailuo/02-image-to-video-pro',
        title: 'Hailuo 02 Pro Image to Video',
        provider: 'Hailuo',
        taskType: ['Image to Video'],
        description: null,
        pricingDesc: 'A 6-second video at 1080P costs 57 credits.',
      },
    ],
  });
  const name = 'hailuo/02-image-to-video-pro';
  expect((await sandbox.call(`${PRO}/price`)).data).toEqual({
    model: name,
    pricingDesc: 'A 6-second video at 1080P costs 57 credits.',
  });
  expect((await sandbox.call(`${PRO}/success-rate`)).data).toEqual({ model: name, points: [] });
});

it('the schema of a model documents its input, as OpenAPI', async () => {
  const sandbox = await startClient();
  const { data } = await sandbox.call(`${LIST}/kling-2.6/image-to-video/schema`);
  const { openapi } = data as { readonly openapi: { readonly paths: object } };
  expect(openapi).toMatchObject({ openapi: '3.1.0' });
  expect(openapi.paths).toMatchObject({
    '/api/v1/jobs/createTask': {
      post: {
        requestBody: {
          content: {
            'application/json': {
              schema: {
                properties: {
                  input: {
                    type: 'object',
                    properties: {
                      prompt: { type: 'string', minLength: 1, maxLength: 1000 },
                      image_urls: { type: 'array', items: { type: 'string' }, maxItems: 1 },
                      duration: { type: 'string', enum: ['5', '10'], default: '5' },
                      sound: { type: 'boolean' },
                    },
                    required: ['prompt', 'image_urls', 'duration', 'sound'],
                  },
                },
              },
            },
          },
        },
      },
    },
  });
});

it.each([`${LIST}/hailuo/03/schema`, `${PRO}/reviews`, `${LIST}/schema`])(
  'the catalogue knows nothing at %s',
  async (path) => {
    const sandbox = await startClient();
    expect(await sandbox.call(path)).toMatchObject({ http: 200, code: 404, data: null });
  },
);

it('one look-up in a second is admitted, whichever it is', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestEnd(() => void vi.useRealTimers());
  const sandbox = await startClient();
  expect(await sandbox.call(`${PRO}/price`)).toMatchObject({ code: 200 });
  for (const path of [LIST, `${PRO}/schema`, `${PRO}/price`, `${PRO}/success-rate`])
    expect(await sandbox.call(path)).toMatchObject({ http: 200, code: 429, data: null });
  vi.advanceTimersByTime(1_000);
  expect(await sandbox.call(LIST)).toMatchObject({ code: 200 });
});
