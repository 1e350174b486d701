import { defineModel, secondsFrom, spelled } from './define-model.ts';

export const SEEDANCE_2_MINI = defineModel({
  id: 'SEEDANCE_2_MINI',
  name: 'bytedance/seedance-2-mini',
  title: 'Seedance 2 Mini',
  page: 'https://docs.kie.ai/market/bytedance/seedance-2-mini',
  prompt: { minLength: 3, maxLength: 20_000 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: secondsFrom(4, 15), default: 5 },
  resolution: { values: ['P480', 'P720'], default: 'P720' },
  sound: { support: 'OPTIONAL', default: true },
  price: {
    readAt: '2026-09',
    list: '3.8 a second at 480p, 8.2 at 720p',
    credits({ options: { durationSeconds, resolution } }) {
      // Thousandths, because 3 × 8.2 is not 24.6 in binary.
      return ((durationSeconds ?? 0) * (resolution === 'P480' ? 3800 : 8200)) / 1000;
    },
  },
  toProvider: ({ endImageUrl, imageUrl, options, prompt }) => ({
    prompt,
    first_frame_url: imageUrl,
    ...(endImageUrl !== null && { last_frame_url: endImageUrl }),
    duration: options.durationSeconds,
    resolution: spelled(options.resolution, 'p'),
    generate_audio: options.sound,
    // The provider's default is 16:9, which would crop most images.
    aspect_ratio: 'adaptive',
  }),
});
