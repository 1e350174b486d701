import { defineModel, secondsFrom } from './define-model.ts';

export const MINIMAX_H3 = defineModel({
  id: 'MINIMAX_H3',
  name: 'minimax-h3/image-to-video',
  title: 'MiniMax H3',
  page: 'https://docs.kie.ai/market/minimax-h3/image-to-video',
  prompt: { maxLength: 7000 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: secondsFrom(4, 15), default: 6 },
  resolution: { values: ['P768', 'P1440'], default: 'P1440' },
  image: {
    mediaTypes: ['image/jpeg', 'image/png', 'image/webp', 'image/heic'],
    maxBytes: 30 * 1024 * 1024,
    minSide: 256,
    maxSide: 5760,
    maxRatio: 5 / 2,
  },
  imageRulesAre: 'documented',
  price: {
    readAt: '2026-09',
    list: '8 a second at 768P, 13 at 2K, and 4 for each image',
    credits({ endImageUrl, options: { durationSeconds, resolution } }) {
      const images = endImageUrl === null ? 1 : 2;
      return (durationSeconds ?? 0) * (resolution === 'P768' ? 8 : 13) + images * 4;
    },
  },
  toProvider: ({ endImageUrl, imageUrl, options, prompt }) => ({
    prompt,
    first_frame_url: imageUrl,
    ...(endImageUrl !== null && { last_frame_url: endImageUrl }),
    duration: options.durationSeconds,
    resolution: options.resolution === 'P1440' ? '2K' : '768P',
  }),
});
