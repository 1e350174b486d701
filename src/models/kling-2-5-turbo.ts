import { defineModel } from './define-model.ts';

export const KLING_2_5_TURBO = defineModel({
  id: 'KLING_2_5_TURBO',
  name: 'kling/v2-5-turbo-image-to-video-pro',
  title: 'Kling 2.5 Turbo',
  page: 'https://docs.kie.ai/market/kling/v25-turbo-image-to-video-pro',
  prompt: { maxLength: 2500 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: [5, 10], default: 5 },
  negativePrompt: { maxLength: 500 },
  price: {
    readAt: '2026-09',
    list: '42 for 5 s, 84 for 10 s',
    credits: ({ options: { durationSeconds } }) => (durationSeconds === 5 ? 42 : 84),
  },
  toProvider: ({ endImageUrl, imageUrl, options, prompt }) => ({
    prompt,
    image_url: imageUrl,
    ...(endImageUrl !== null && { tail_image_url: endImageUrl }),
    duration: String(options.durationSeconds),
    ...(options.negativePrompt !== null && { negative_prompt: options.negativePrompt }),
  }),
});
