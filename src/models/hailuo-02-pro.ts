import { defineModel, USUAL_IMAGES } from './define-model.ts';

/** The default model. MiniMax makes it; its resellers state the limits of side and ratio. */
export const HAILUO_02_PRO = defineModel({
  id: 'HAILUO_02_PRO',
  name: 'hailuo/02-image-to-video-pro',
  title: 'Hailuo 02 Pro',
  page: 'https://docs.kie.ai/market/hailuo/02-image-to-video-pro',
  prompt: { maxLength: 1500 },
  lastImage: 'OPTIONAL',
  durationSeconds: { values: [], default: 6 },
  resolution: { values: [], default: 'P1080' },
  promptOptimizer: 'OPTIONAL',
  image: { ...USUAL_IMAGES, minSide: 301, maxRatio: 5 / 2 },
  imageRulesAre: 'documented',
  price: { readAt: '2026-09', list: '57 a video', credits: () => 57 },
  toProvider: ({ endImageUrl, imageUrl, prompt, promptOptimizer }) => ({
    prompt,
    image_url: imageUrl,
    ...(endImageUrl !== null && { end_image_url: endImageUrl }),
    ...(promptOptimizer !== null && { prompt_optimizer: promptOptimizer }),
  }),
});
