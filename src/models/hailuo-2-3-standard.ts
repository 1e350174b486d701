import { defineModel } from './define-model.ts';
import { shorterAt1080, toProvider } from './hailuo-2-3-pro.ts';

export const HAILUO_2_3_STANDARD = defineModel({
  id: 'HAILUO_2_3_STANDARD',
  name: 'hailuo/2-3-image-to-video-standard',
  title: 'Hailuo 2.3 Standard',
  page: 'https://docs.kie.ai/market/hailuo/2-3-image-to-video-standard',
  prompt: { maxLength: 5000 },
  durationSeconds: { values: [6, 10], default: 6 },
  resolution: { values: ['P768', 'P1080'], default: 'P768' },
  conflict: shorterAt1080,
  price: {
    readAt: '2026-09',
    list: '768P: 30 for 6 s, 50 for 10 s; 1080P: 50 for 6 s',
    isSeen: true,
    credits({ options: { durationSeconds, resolution } }) {
      return durationSeconds === 6 && resolution === 'P768' ? 30 : 50;
    },
  },
  toProvider,
});
