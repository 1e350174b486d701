import {
  characters,
  fileUrl,
  flag,
  frameUrl,
  imageUrl,
  imageUrlOrEmpty,
  oneOf,
  oneUrl,
  parameters,
  share,
  text,
  urls,
  wholeNumber,
} from './checks.ts';
import { define, type SandboxModel } from './model.ts';

const hailuo02 = {
  prompt: characters(1500),
  image_url: imageUrl,
  end_image_url: imageUrlOrEmpty.optional(),
  prompt_optimizer: flag.optional(),
  nsfw_checker: flag.optional(),
};

const hailuo23 = {
  prompt: characters(5000),
  image_url: imageUrl,
  duration: oneOf('6', '10').default('6'),
  resolution: oneOf('768P', '1080P').default('768P'),
};

function isOffered({ duration, resolution }: { readonly duration: string; readonly resolution: string }) {
  return duration !== '10' || resolution !== '1080P';
}

const NOT_OFFERED = { path: ['duration'], error: 'must be "6" at 1080P' };

/** From kie.ai's pages (August 2026) and price list (September 2026). */
export const MODELS: readonly SandboxModel[] = [
  define({
    name: 'hailuo/02-image-to-video-pro',
    idPart: 'hailuo',
    title: 'Hailuo 02 Pro Image to Video',
    provider: 'Hailuo',
    pricing: 'A 6-second video at 1080P costs 57 credits.',
    input: parameters(hailuo02),
    credits: () => 57,
  }),
  define({
    name: 'hailuo/02-image-to-video-standard',
    idPart: 'hailuo-02-standard',
    title: 'Hailuo 02 Standard Image to Video',
    provider: 'Hailuo',
    pricing: 'At 512P, 6 seconds cost 12 credits and 10 seconds cost 20. At 768P, 10 seconds cost 50.',
    input: parameters({
      ...hailuo02,
      duration: oneOf('6', '10').default('10'),
      resolution: oneOf('512P', '768P').default('768P'),
    }),
    credits({ duration, resolution }) {
      if (resolution === '512P') return duration === '6' ? 12 : 20;
      // No price is known for 6 s at 768P; 30 is what the text-to-video model costs.
      return duration === '6' ? 30 : 50;
    },
  }),
  define({
    name: 'hailuo/2-3-image-to-video-pro',
    idPart: 'hailuo-2.3-pro',
    title: 'Hailuo 2.3 Pro Image to Video',
    provider: 'Hailuo',
    pricing: 'At 768P, 6 seconds cost 45 credits and 10 seconds cost 90. At 1080P, 6 seconds cost 80.',
    input: parameters({ ...hailuo23, nsfw_checker: flag.optional() }).refine(isOffered, NOT_OFFERED),
    credits: ({ duration, resolution }) => (resolution === '1080P' ? 80 : duration === '6' ? 45 : 90),
  }),
  define({
    name: 'hailuo/2-3-image-to-video-standard',
    idPart: 'hailuo-2.3-standard',
    title: 'Hailuo 2.3 Standard Image to Video',
    provider: 'Hailuo',
    pricing: 'At 768P, 6 seconds cost 30 credits and 10 seconds cost 50. At 1080P, 6 seconds cost 50.',
    input: parameters(hailuo23).refine(isOffered, NOT_OFFERED),
    credits: ({ duration, resolution }) => (resolution === '1080P' || duration === '10' ? 50 : 30),
  }),
  define({
    name: 'minimax-h3/image-to-video',
    idPart: 'minimax-h3',
    title: 'MiniMax H3 Image to Video',
    provider: 'MiniMax',
    pricing: 'A second costs 8 credits at 768P and 13 at 2K. Each image costs 4 credits.',
    input: parameters({
      prompt: characters(7000),
      duration: wholeNumber(4, 15).meta({ default: 6 }),
      first_frame_url: frameUrl.optional(),
      last_frame_url: frameUrl.optional(),
      resolution: oneOf('768P', '2K').default('2K'),
    }),
    credits({ duration, first_frame_url, last_frame_url, resolution }) {
      const images = [first_frame_url, last_frame_url].filter((url) => url !== undefined);
      return duration * (resolution === '768P' ? 8 : 13) + images.length * 4;
    },
  }),
  define({
    name: 'kling/v2-5-turbo-image-to-video-pro',
    idPart: 'kling-2.5-turbo',
    title: 'Kling 2.5 Turbo Pro Image to Video',
    provider: 'Kling',
    pricing: 'A 5-second video costs 42 credits, and a 10-second video costs 84.',
    input: parameters({
      prompt: characters(2500),
      image_url: imageUrl,
      tail_image_url: imageUrl.optional(),
      duration: oneOf('5', '10').default('5'),
      negative_prompt: characters(500, 0).optional(),
      cfg_scale: share.default(0.5),
    }),
    credits: ({ duration }) => (duration === '5' ? 42 : 84),
  }),
  define({
    name: 'kling-2.6/image-to-video',
    idPart: 'kling-2.6',
    title: 'Kling 2.6 Image to Video',
    provider: 'Kling',
    pricing:
      'A 5-second video costs 55 credits, 110 with sound. A 10-second video costs 110, 220 with sound.',
    input: parameters({
      prompt: characters(1000),
      image_urls: oneUrl,
      duration: oneOf('5', '10').meta({ default: '5' }),
      sound: flag,
    }),
    credits: ({ duration, sound }) => (duration === '5' ? 55 : 110) * (sound ? 2 : 1),
  }),
  define({
    name: 'kling/v3-turbo-image-to-video',
    idPart: 'kling-3-turbo',
    title: 'Kling 3 Turbo Image to Video',
    provider: 'Kling',
    pricing: 'A second costs 18 credits at 720p and 22.5 at 1080p.',
    input: parameters({
      prompt: characters(2500),
      image_urls: oneUrl,
      duration: text((seconds) => /^([3-9]|1[0-5])$/.test(seconds), 'must be a string from "3" to "15"').meta(
        { default: '5' },
      ),
      resolution: oneOf('720p', '1080p').meta({ default: '720p' }),
    }),
    credits: ({ duration, resolution }) => Number(duration) * (resolution === '720p' ? 18 : 22.5),
  }),
  define({
    name: 'bytedance/seedance-2-mini',
    idPart: 'seedance-2-mini',
    title: 'Seedance 2 Mini',
    provider: 'ByteDance',
    pricing: 'A second costs 3.8 credits at 480p and 8.2 at 720p.',
    input: parameters({
      prompt: characters(20_000, 3).optional(),
      first_frame_url: imageUrl.optional(),
      last_frame_url: imageUrl.optional(),
      reference_image_urls: urls(9).optional(),
      reference_video_urls: urls(3).optional(),
      reference_audio_urls: urls(3).optional(),
      duration: wholeNumber(4, 15).default(5),
      resolution: oneOf('480p', '720p').default('720p'),
      aspect_ratio: oneOf('1:1', '4:3', '3:4', '16:9', '9:16', '21:9', 'adaptive').default('16:9'),
      generate_audio: flag.default(true),
      nsfw_checker: flag.optional(),
      web_search: flag.optional(),
    }).refine(
      ({ first_frame_url, last_frame_url, ...given }) =>
        (first_frame_url ?? last_frame_url) === undefined ||
        (given.reference_image_urls ?? given.reference_video_urls ?? given.reference_audio_urls) ===
          undefined,
      { path: ['first_frame_url'], error: 'and last_frame_url must not be sent together with references' },
    ),
    credits: ({ duration, resolution }) => duration * (resolution === '480p' ? 3.8 : 8.2),
  }),
  define({
    name: 'wan/2-7-image-to-video',
    idPart: 'wan-2.7',
    title: 'Wan 2.7 Image to Video',
    provider: 'Wan',
    pricing: 'A second costs 16 credits at 720p and 24 at 1080p.',
    input: parameters({
      prompt: characters(5000),
      first_frame_url: imageUrl.optional(),
      last_frame_url: imageUrl.optional(),
      first_clip_url: fileUrl.optional(),
      driving_audio_url: fileUrl.optional(),
      duration: wholeNumber(2, 15).default(5),
      resolution: oneOf('720p', '1080p').default('1080p'),
      negative_prompt: characters(500, 0).optional(),
      prompt_extend: flag.default(true),
      seed: wholeNumber(0, 2_147_483_647).optional(),
      watermark: flag.default(false),
      nsfw_checker: flag.optional(),
    }),
    credits: ({ duration, resolution }) => duration * (resolution === '720p' ? 16 : 24),
  }),
];
