import { expect, it } from 'vitest';
import { startClient, startReceiver } from './client.ts';

const URL = 'https://files.example.com/first.png';
const prompt = '[sandbox: duration=0ms]';

const HAILUO_02 = { prompt, image_url: URL };
const HAILUO_2_3 = { prompt, image_url: URL };
const H3 = { prompt, duration: 6 };
const KLING_2_5 = { prompt, image_url: URL };
const KLING_2_6 = { prompt, image_urls: [URL], duration: '5', sound: false };
const KLING_3 = { prompt, image_urls: [URL], duration: '5', resolution: '720p' };
const SEEDANCE = { prompt, first_frame_url: URL };
const WAN = { prompt, first_frame_url: URL };

it.each<readonly [model: string, input: object, credits: number]>([
  [
    'hailuo/02-image-to-video-pro',
    { ...HAILUO_02, end_image_url: '', prompt_optimizer: true, nsfw_checker: false },
    57,
  ],
  ['hailuo/02-image-to-video-standard', { ...HAILUO_02, duration: '6', resolution: '512P' }, 12],
  ['hailuo/02-image-to-video-standard', { ...HAILUO_02, duration: '10', resolution: '512P' }, 20],
  ['hailuo/02-image-to-video-standard', { ...HAILUO_02, duration: '6', end_image_url: URL }, 30],
  ['hailuo/02-image-to-video-standard', HAILUO_02, 50],
  ['hailuo/2-3-image-to-video-pro', { ...HAILUO_2_3, nsfw_checker: true }, 45],
  ['hailuo/2-3-image-to-video-pro', { ...HAILUO_2_3, duration: '10' }, 90],
  ['hailuo/2-3-image-to-video-pro', { ...HAILUO_2_3, resolution: '1080P' }, 80],
  ['hailuo/2-3-image-to-video-standard', HAILUO_2_3, 30],
  ['hailuo/2-3-image-to-video-standard', { ...HAILUO_2_3, duration: '10' }, 50],
  ['hailuo/2-3-image-to-video-standard', { ...HAILUO_2_3, resolution: '1080P' }, 50],
  ['minimax-h3/image-to-video', H3, 78],
  ['minimax-h3/image-to-video', { ...H3, first_frame_url: URL, last_frame_url: 'oss://a/b' }, 86],
  ['minimax-h3/image-to-video', { ...H3, first_frame_url: URL, resolution: '768P' }, 52],
  ['kling/v2-5-turbo-image-to-video-pro', { ...KLING_2_5, negative_prompt: '', cfg_scale: 0.7 }, 42],
  ['kling/v2-5-turbo-image-to-video-pro', { ...KLING_2_5, duration: '10', tail_image_url: URL }, 84],
  ['kling-2.6/image-to-video', KLING_2_6, 55],
  ['kling-2.6/image-to-video', { ...KLING_2_6, duration: '10', sound: true }, 220],
  ['kling/v3-turbo-image-to-video', { ...KLING_3, duration: '4' }, 72],
  ['kling/v3-turbo-image-to-video', { ...KLING_3, duration: '3', resolution: '1080p' }, 67.5],
  ['bytedance/seedance-2-mini', { ...SEEDANCE, duration: 4, aspect_ratio: 'adaptive' }, 32.8],
  ['bytedance/seedance-2-mini', { prompt, reference_image_urls: [URL], resolution: '480p' }, 19],
  ['wan/2-7-image-to-video', { ...WAN, last_frame_url: URL, prompt_extend: false, seed: 0 }, 120],
  [
    'wan/2-7-image-to-video',
    { ...WAN, duration: 2, resolution: '720p', negative_prompt: 'rain', watermark: false },
    32,
  ],
])('%s takes %j and charges %d credits', async (model, input, credits) => {
  const sandbox = await startClient();
  const { data, msg } = await sandbox.send({ model, input });
  expect(msg).toBe('success');
  const { taskId } = data as { readonly taskId: string };
  const record = await sandbox.record(taskId);
  expect(record).toMatchObject({ model, state: 'success', creditsConsumed: credits });
  expect(JSON.parse(record.param)).toEqual({ model, input });
  expect(await sandbox.credits()).toBe(10_000 - credits);
});

it.each<readonly [model: string, valid: object, broken: Readonly<Record<string, unknown>>]>([
  [
    'hailuo/02-image-to-video-pro',
    HAILUO_02,
    { prompt: 'p'.repeat(1501), image_url: 'first.png', prompt_optimizer: 'yes', nsfw_checker: 1 },
  ],
  [
    'hailuo/02-image-to-video-standard',
    HAILUO_02,
    { prompt: '', end_image_url: 'last.png', duration: 6, resolution: '1080P', prompt_optimizer: null },
  ],
  [
    'hailuo/2-3-image-to-video-pro',
    HAILUO_2_3,
    { prompt: 'p'.repeat(5001), image_url: undefined, duration: '5', resolution: '512P', nsfw_checker: '' },
  ],
  [
    'hailuo/2-3-image-to-video-standard',
    HAILUO_2_3,
    { prompt: undefined, image_url: [URL], duration: 10, resolution: '768p' },
  ],
  [
    'minimax-h3/image-to-video',
    H3,
    {
      prompt: 'p'.repeat(7001),
      duration: '6',
      first_frame_url: 'ftp://a/b',
      last_frame_url: '',
      resolution: '2k',
    },
  ],
  [
    'kling/v2-5-turbo-image-to-video-pro',
    KLING_2_5,
    {
      prompt: 'p'.repeat(2501),
      image_url: 1,
      tail_image_url: '',
      duration: 5,
      negative_prompt: 'n'.repeat(501),
      cfg_scale: 1.1,
    },
  ],
  [
    'kling-2.6/image-to-video',
    KLING_2_6,
    { prompt: 'p'.repeat(1001), image_urls: [URL, URL], duration: undefined, sound: undefined },
  ],
  [
    'kling/v3-turbo-image-to-video',
    KLING_3,
    { prompt: 'p'.repeat(2501), image_urls: [], duration: '16', resolution: undefined },
  ],
  [
    'bytedance/seedance-2-mini',
    { prompt },
    {
      prompt: 'pp',
      first_frame_url: 'a',
      last_frame_url: 'b',
      reference_image_urls: URL,
      reference_video_urls: [URL, URL, URL, URL],
      reference_audio_urls: ['a'],
      duration: 16,
      resolution: '1080p',
      aspect_ratio: '2:1',
      generate_audio: 'true',
      nsfw_checker: 0,
      web_search: 0,
    },
  ],
  [
    'wan/2-7-image-to-video',
    WAN,
    {
      prompt: 'p'.repeat(5001),
      first_frame_url: '',
      last_frame_url: 'b',
      first_clip_url: 'c',
      driving_audio_url: 'd',
      duration: '5',
      resolution: '720P',
      negative_prompt: 'n'.repeat(501),
      prompt_extend: 1,
      seed: -1,
      watermark: 1,
      nsfw_checker: 1,
    },
  ],
])('%s refuses each broken field by its name', async (model, valid, broken) => {
  const sandbox = await startClient({ createsPer10s: 100 });
  for (const [field, value] of Object.entries({ ...broken, camera: 'up' })) {
    const { code, msg } = await sandbox.send({ model, input: { ...valid, [field]: value } });
    expect([field, code]).toEqual([field, 422]);
    expect(msg).toMatch(
      field === 'camera'
        ? /^Parameter validation failed: input has unknown parameters: camera$/
        : new RegExp(`^Parameter validation failed: input\\.${field}[ .][^;]*$`),
    );
  }
});

it.each<readonly [model: string, input: object, message: RegExp]>([
  [
    'hailuo/2-3-image-to-video-pro',
    { ...HAILUO_2_3, duration: '10', resolution: '1080P' },
    /input\.duration must be "6" at 1080P$/,
  ],
  [
    'hailuo/2-3-image-to-video-standard',
    { ...HAILUO_2_3, duration: '10', resolution: '1080P' },
    /input\.duration must be "6" at 1080P$/,
  ],
  [
    'bytedance/seedance-2-mini',
    { ...SEEDANCE, reference_image_urls: [URL] },
    /input\.first_frame_url and last_frame_url must not be sent together with references$/,
  ],
  [
    'bytedance/seedance-2-mini',
    { prompt, last_frame_url: URL, reference_audio_urls: [URL] },
    /input\.first_frame_url and last_frame_url must not be sent together with references$/,
  ],
])('%s refuses %j, which does not go together', async (model, input, message) => {
  const sandbox = await startClient();
  expect(await sandbox.send({ model, input })).toMatchObject({
    code: 422,
    msg: expect.stringMatching(message) as string,
  });
});

it.each(['minimax-h3/image-to-video', 'bytedance/seedance-2-mini'])(
  'the directives of a prompt work for %s',
  async (model) => {
    const sandbox = await startClient();
    const input = { duration: 5, prompt: '[sandbox: reject=402]' };
    expect(await sandbox.send({ model, input })).toMatchObject({ code: 402, data: null });
  },
);

it('a charge has at most three decimals, in the callback as in recordInfo and in the balance', async () => {
  const [sandbox, receiver] = [await startClient(), await startReceiver()];
  const request = { model: 'bytedance/seedance-2-mini', input: { ...SEEDANCE, duration: 6 } };
  await sandbox.send({ ...request, callBackUrl: receiver.url });
  const { data } = (await receiver.next()).body;
  expect(data['creditsConsumed']).toBe(49.2);
  expect(await sandbox.credits()).toBe(9_950.8);
  expect(await sandbox.record(String(data['taskId']))).toEqual(data);
});
