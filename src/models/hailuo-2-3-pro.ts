import { defineModel, spelled, type Conflict, type ModelInput, type VideoOptions } from './define-model.ts';

export const HAILUO_2_3_PRO = defineModel({
  id: 'HAILUO_2_3_PRO',
  name: 'hailuo/2-3-image-to-video-pro',
  title: 'Hailuo 2.3 Pro',
  page: 'https://docs.kie.ai/market/hailuo/2-3-image-to-video-pro',
  prompt: { maxLength: 5000 },
  durationSeconds: { values: [6, 10], default: 6 },
  resolution: { values: ['P768', 'P1080'], default: 'P768' },
  conflict: shorterAt1080,
  price: {
    readAt: '2026-09',
    list: '768P: 45 for 6 s, 90 for 10 s; 1080P: 80 for 6 s',
    credits({ options: { durationSeconds, resolution } }) {
      if (resolution === 'P1080') return 80;
      return durationSeconds === 6 ? 45 : 90;
    },
  },
  toProvider,
});

/** The create call's input of both Hailuo 2.3 models. */
export function toProvider({ imageUrl, options, prompt }: ModelInput) {
  return {
    prompt,
    image_url: imageUrl,
    duration: String(options.durationSeconds),
    resolution: spelled(options.resolution, 'P'),
  };
}

/** Both Hailuo 2.3 models make 10 s at 768P only. */
export function shorterAt1080({ durationSeconds, resolution }: VideoOptions): Conflict | null {
  if (durationSeconds !== 10 || resolution !== 'P1080') return null;
  return { field: 'durationSeconds', message: 'must be 6 at P1080. Take 6 s, or P768.' };
}
