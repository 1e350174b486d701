import { defineModel, USUAL_IMAGES } from './define-model.ts';

export const KLING_2_6 = defineModel({
  id: 'KLING_2_6',
  name: 'kling-2.6/image-to-video',
  title: 'Kling 2.6',
  page: 'https://docs.kie.ai/market/kling/image-to-video',
  prompt: { maxLength: 1000 },
  durationSeconds: { values: [5, 10], default: 5 },
  sound: { support: 'REQUIRED', default: false },
  image: { ...USUAL_IMAGES, mediaTypes: ['image/jpeg', 'image/png'] },
  imageRulesAre: 'documented',
  price: {
    readAt: '2026-09',
    list: '55 for 5 s, 110 for 10 s; twice as much with sound',
    credits({ options: { durationSeconds, sound } }) {
      return (durationSeconds === 5 ? 55 : 110) * (sound === true ? 2 : 1);
    },
  },
  toProvider: ({ imageUrl, options, prompt }) => ({
    prompt,
    image_urls: [imageUrl],
    duration: String(options.durationSeconds),
    sound: options.sound,
  }),
});
