import { defineModel, secondsFrom, spelled, USUAL_IMAGES } from './define-model.ts';

export const KLING_3_TURBO = defineModel({
  id: 'KLING_3_TURBO',
  name: 'kling/v3-turbo-image-to-video',
  title: 'Kling 3 Turbo',
  page: 'https://docs.kie.ai/market/kling/v3-turbo-image-to-video',
  prompt: { maxLength: 2500 },
  durationSeconds: { values: secondsFrom(3, 15), default: 5 },
  resolution: { values: ['P720', 'P1080'], default: 'P720' },
  image: { ...USUAL_IMAGES, mediaTypes: ['image/jpeg', 'image/png'] },
  imageRulesAre: 'documented',
  price: {
    readAt: '2026-09',
    list: '18 a second at 720p, 22.5 at 1080p',
    isSeen: true,
    credits({ options: { durationSeconds, resolution } }) {
      return (durationSeconds ?? 0) * (resolution === 'P720' ? 18 : 22.5);
    },
  },
  toProvider: ({ imageUrl, options, prompt }) => ({
    prompt,
    image_urls: [imageUrl],
    duration: String(options.durationSeconds),
    resolution: spelled(options.resolution, 'p'),
  }),
});
