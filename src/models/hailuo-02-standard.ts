import { defineModel, spelled } from './define-model.ts';

export const HAILUO_02_STANDARD = defineModel({
  id: 'HAILUO_02_STANDARD',
  name: 'hailuo/02-image-to-video-standard',
  title: 'Hailuo 02 Standard',
  page: 'https://docs.kie.ai/market/hailuo/02-image-to-video-standard',
  prompt: { maxLength: 1500 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: [6, 10], default: 10 },
  resolution: { values: ['P512', 'P768'], default: 'P768' },
  promptOptimizer: 'OPTIONAL',
  price: {
    readAt: '2026-09',
    list: '512P: 12 for 6 s, 20 for 10 s; 768P: 50 for 10 s; no price is known for 6 s at 768P',
    credits({ options: { durationSeconds, resolution } }) {
      if (resolution === 'P512') return durationSeconds === 6 ? 12 : 20;
      return durationSeconds === 6 ? null : 50;
    },
  },
  toProvider: ({ endImageUrl, imageUrl, options, prompt, promptOptimizer }) => ({
    prompt,
    image_url: imageUrl,
    ...(endImageUrl !== null && { end_image_url: endImageUrl }),
    duration: String(options.durationSeconds),
    resolution: spelled(options.resolution, 'P'),
    ...(promptOptimizer !== null && { prompt_optimizer: promptOptimizer }),
  }),
});
