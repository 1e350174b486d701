import type { ModelId } from '../../src/models/index.ts';
import type { Fields } from '../api/client.ts';
import type { ApiOptions } from './client.ts';

const PROMPT = 'slow push-in, snow falling';
const FIRST = 'https://files.example/first.png';
const LAST = 'https://files.example/last.png';

interface Call {
  /** What the client gives beside prompt, image and model. */
  readonly given: NonNullable<Fields>;
  /** `input` of the create call. */
  readonly sent: Readonly<Record<string, unknown>>;
  /** `Task.options` that are not null. */
  readonly options: Partial<ApiOptions>;
}

export interface Sample {
  /** The provider's id. */
  readonly name: string;
  /** With the required fields alone, and with all that the model takes. */
  readonly calls: readonly Call[];
  /** Fields that the model does not have. */
  readonly unsupported: NonNullable<Fields>;
  /** What the model does not take, the field that is wrong, and what the message lists. */
  readonly notAllowed: readonly (readonly [NonNullable<Fields>, field: string, listed: string])[];
  /** The least and most characters. */
  readonly prompt: readonly [number, number];
  readonly negativePrompt?: number;
}

/** Written from the provider's pages by hand, and not from the code. */
export const SAMPLES: Readonly<Record<ModelId, Sample>> = {
  HAILUO_02_PRO: {
    name: 'hailuo/02-image-to-video-pro',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_url: FIRST },
        options: { durationSeconds: 6, resolution: 'P1080' },
      },
      {
        given: { endImageUrl: LAST, promptOptimizer: true },
        sent: { prompt: PROMPT, image_url: FIRST, end_image_url: LAST, prompt_optimizer: true },
        options: { durationSeconds: 6, resolution: 'P1080' },
      },
    ],
    unsupported: { durationSeconds: 6, resolution: 'P1080', sound: false, negativePrompt: 'blur', seed: 1 },
    notAllowed: [],
    prompt: [1, 1500],
  },
  HAILUO_02_STANDARD: {
    name: 'hailuo/02-image-to-video-standard',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_url: FIRST, duration: '10', resolution: '768P' },
        options: { durationSeconds: 10, resolution: 'P768' },
      },
      {
        given: { endImageUrl: LAST, durationSeconds: 6, resolution: 'P512', promptOptimizer: false },
        sent: {
          prompt: PROMPT,
          image_url: FIRST,
          end_image_url: LAST,
          duration: '6',
          resolution: '512P',
          prompt_optimizer: false,
        },
        options: { durationSeconds: 6, resolution: 'P512' },
      },
    ],
    unsupported: { sound: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 7 }, 'durationSeconds', '6, 10'],
      [{ resolution: 'P1080' }, 'resolution', 'P512, P768'],
    ],
    prompt: [1, 1500],
  },
  HAILUO_2_3_PRO: {
    name: 'hailuo/2-3-image-to-video-pro',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_url: FIRST, duration: '6', resolution: '768P' },
        options: { durationSeconds: 6, resolution: 'P768' },
      },
      {
        given: { durationSeconds: 10, resolution: 'P768' },
        sent: { prompt: PROMPT, image_url: FIRST, duration: '10', resolution: '768P' },
        options: { durationSeconds: 10, resolution: 'P768' },
      },
      {
        given: { resolution: 'P1080' },
        sent: { prompt: PROMPT, image_url: FIRST, duration: '6', resolution: '1080P' },
        options: { durationSeconds: 6, resolution: 'P1080' },
      },
    ],
    unsupported: { endImageUrl: LAST, promptOptimizer: true, sound: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 5 }, 'durationSeconds', '6, 10'],
      [{ resolution: 'P720' }, 'resolution', 'P768, P1080'],
      [{ durationSeconds: 10, resolution: 'P1080' }, 'durationSeconds', '6 at P1080'],
    ],
    prompt: [1, 5000],
  },
  HAILUO_2_3_STANDARD: {
    name: 'hailuo/2-3-image-to-video-standard',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_url: FIRST, duration: '6', resolution: '768P' },
        options: { durationSeconds: 6, resolution: 'P768' },
      },
      {
        given: { durationSeconds: 6, resolution: 'P1080' },
        sent: { prompt: PROMPT, image_url: FIRST, duration: '6', resolution: '1080P' },
        options: { durationSeconds: 6, resolution: 'P1080' },
      },
    ],
    unsupported: { endImageUrl: LAST, promptOptimizer: false, sound: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 15 }, 'durationSeconds', '6, 10'],
      [{ resolution: 'P1440' }, 'resolution', 'P768, P1080'],
      [{ durationSeconds: 10, resolution: 'P1080' }, 'durationSeconds', '6 at P1080'],
    ],
    prompt: [1, 5000],
  },
  MINIMAX_H3: {
    name: 'minimax-h3/image-to-video',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, first_frame_url: FIRST, duration: 6, resolution: '2K' },
        options: { durationSeconds: 6, resolution: 'P1440' },
      },
      {
        given: { endImageUrl: LAST, durationSeconds: 15, resolution: 'P768' },
        sent: {
          prompt: PROMPT,
          first_frame_url: FIRST,
          last_frame_url: LAST,
          duration: 15,
          resolution: '768P',
        },
        options: { durationSeconds: 15, resolution: 'P768' },
      },
    ],
    unsupported: { promptOptimizer: true, sound: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 3 }, 'durationSeconds', '4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ durationSeconds: 16 }, 'durationSeconds', '4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ resolution: 'P1080' }, 'resolution', 'P768, P1440'],
    ],
    prompt: [1, 7000],
  },
  KLING_2_5_TURBO: {
    name: 'kling/v2-5-turbo-image-to-video-pro',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_url: FIRST, duration: '5' },
        options: { durationSeconds: 5 },
      },
      {
        given: { endImageUrl: LAST, durationSeconds: 10, negativePrompt: ' blur ' },
        sent: {
          prompt: PROMPT,
          image_url: FIRST,
          tail_image_url: LAST,
          duration: '10',
          negative_prompt: ' blur ',
        },
        options: { durationSeconds: 10, negativePrompt: ' blur ' },
      },
    ],
    unsupported: { promptOptimizer: true, resolution: 'P1080', sound: true, seed: 1 },
    notAllowed: [[{ durationSeconds: 6 }, 'durationSeconds', '5, 10']],
    prompt: [1, 2500],
    negativePrompt: 500,
  },
  KLING_2_6: {
    name: 'kling-2.6/image-to-video',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_urls: [FIRST], duration: '5', sound: false },
        options: { durationSeconds: 5, sound: false },
      },
      {
        given: { durationSeconds: 10, sound: true },
        sent: { prompt: PROMPT, image_urls: [FIRST], duration: '10', sound: true },
        options: { durationSeconds: 10, sound: true },
      },
    ],
    unsupported: {
      endImageUrl: LAST,
      promptOptimizer: true,
      resolution: 'P1080',
      negativePrompt: 'blur',
      seed: 1,
    },
    notAllowed: [[{ durationSeconds: 0 }, 'durationSeconds', '5, 10']],
    prompt: [1, 1000],
  },
  KLING_3_TURBO: {
    name: 'kling/v3-turbo-image-to-video',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, image_urls: [FIRST], duration: '5', resolution: '720p' },
        options: { durationSeconds: 5, resolution: 'P720' },
      },
      {
        given: { durationSeconds: 3, resolution: 'P1080' },
        sent: { prompt: PROMPT, image_urls: [FIRST], duration: '3', resolution: '1080p' },
        options: { durationSeconds: 3, resolution: 'P1080' },
      },
    ],
    unsupported: { endImageUrl: LAST, promptOptimizer: true, sound: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 2 }, 'durationSeconds', '3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ durationSeconds: 16 }, 'durationSeconds', '3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ resolution: 'P480' }, 'resolution', 'P720, P1080'],
    ],
    prompt: [1, 2500],
  },
  SEEDANCE_2_MINI: {
    name: 'bytedance/seedance-2-mini',
    calls: [
      {
        given: {},
        sent: {
          prompt: PROMPT,
          first_frame_url: FIRST,
          duration: 5,
          resolution: '720p',
          generate_audio: true,
          aspect_ratio: 'adaptive',
        },
        options: { durationSeconds: 5, resolution: 'P720', sound: true },
      },
      {
        given: { endImageUrl: LAST, durationSeconds: 15, resolution: 'P480', sound: false },
        sent: {
          prompt: PROMPT,
          first_frame_url: FIRST,
          last_frame_url: LAST,
          duration: 15,
          resolution: '480p',
          generate_audio: false,
          aspect_ratio: 'adaptive',
        },
        options: { durationSeconds: 15, resolution: 'P480', sound: false },
      },
    ],
    unsupported: { promptOptimizer: true, negativePrompt: 'blur', seed: 1 },
    notAllowed: [
      [{ durationSeconds: 3 }, 'durationSeconds', '4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ durationSeconds: 16 }, 'durationSeconds', '4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ resolution: 'P1080' }, 'resolution', 'P480, P720'],
    ],
    prompt: [3, 20_000],
  },
  WAN_2_7: {
    name: 'wan/2-7-image-to-video',
    calls: [
      {
        given: {},
        sent: { prompt: PROMPT, first_frame_url: FIRST, duration: 5, resolution: '1080p' },
        options: { durationSeconds: 5, resolution: 'P1080' },
      },
      {
        given: {
          endImageUrl: LAST,
          durationSeconds: 2,
          resolution: 'P720',
          negativePrompt: 'blur',
          seed: 2_147_483_647,
          promptOptimizer: false,
        },
        sent: {
          prompt: PROMPT,
          first_frame_url: FIRST,
          last_frame_url: LAST,
          duration: 2,
          resolution: '720p',
          negative_prompt: 'blur',
          seed: 2_147_483_647,
          prompt_extend: false,
        },
        options: { durationSeconds: 2, resolution: 'P720', negativePrompt: 'blur', seed: 2_147_483_647 },
      },
      {
        given: { durationSeconds: 15, seed: 0 },
        sent: { prompt: PROMPT, first_frame_url: FIRST, duration: 15, resolution: '1080p', seed: 0 },
        options: { durationSeconds: 15, resolution: 'P1080', seed: 0 },
      },
    ],
    unsupported: { sound: true },
    notAllowed: [
      [{ durationSeconds: 1 }, 'durationSeconds', '2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ durationSeconds: 16 }, 'durationSeconds', '2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15'],
      [{ resolution: 'P768' }, 'resolution', 'P720, P1080'],
      [{ seed: -1 }, 'seed', 'between 0 and 2147483647'],
    ],
    prompt: [1, 5000],
    negativePrompt: 500,
  },
};
