import { defineModel, secondsFrom, spelled } from './define-model.ts';

export const WAN_2_7 = defineModel({
  id: 'WAN_2_7',
  name: 'wan/2-7-image-to-video',
  title: 'Wan 2.7',
  page: 'https://docs.kie.ai/market/wan/2-7-image-to-video',
  prompt: { maxLength: 5000 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: secondsFrom(2, 15), default: 5 },
  resolution: { values: ['P720', 'P1080'], default: 'P1080' },
  negativePrompt: { maxLength: 500 },
  seed: { max: 2_147_483_647 },
  promptOptimizer: 'OPTIONAL',
  price: {
    readAt: '2026-09',
    list: '16 a second at 720p, 24 at 1080p',
    credits({ options: { durationSeconds, resolution } }) {
      return (durationSeconds ?? 0) * (resolution === 'P720' ? 16 : 24);
    },
  },
  toProvider: ({ endImageUrl, imageUrl, options, prompt, promptOptimizer }) => ({
    prompt,
    first_frame_url: imageUrl,
    ...(endImageUrl !== null && { last_frame_url: endImageUrl }),
    duration: options.durationSeconds,
    resolution: spelled(options.resolution, 'p'),
    ...(options.negativePrompt !== null && { negative_prompt: options.negativePrompt }),
    ...(options.seed !== null && { seed: options.seed }),
    ...(promptOptimizer !== null && { prompt_extend: promptOptimizer }),
  }),
});
