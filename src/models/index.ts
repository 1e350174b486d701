import type { ImageRules, Model, ModelInput, VideoOptions } from './define-model.ts';
import { HAILUO_02_PRO } from './hailuo-02-pro.ts';
import { HAILUO_02_STANDARD } from './hailuo-02-standard.ts';
import { HAILUO_2_3_PRO } from './hailuo-2-3-pro.ts';
import { HAILUO_2_3_STANDARD } from './hailuo-2-3-standard.ts';
import { KLING_2_5_TURBO } from './kling-2-5-turbo.ts';
import { KLING_2_6 } from './kling-2-6.ts';
import { KLING_3_TURBO } from './kling-3-turbo.ts';
import { MINIMAX_H3 } from './minimax-h3.ts';
import { SEEDANCE_2_MINI } from './seedance-2-mini.ts';
import { WAN_2_7 } from './wan-2-7.ts';

export const DEFAULT_MODEL = HAILUO_02_PRO;

/** Every model that this gateway knows, the default first. A new one needs its file and a line here. */
export const MODELS = [
  DEFAULT_MODEL,
  HAILUO_02_STANDARD,
  HAILUO_2_3_PRO,
  HAILUO_2_3_STANDARD,
  MINIMAX_H3,
  KLING_2_5_TURBO,
  KLING_2_6,
  KLING_3_TURBO,
  SEEDANCE_2_MINI,
  WAN_2_7,
] as const;

/** A value of the GraphQL enum `ImageToVideoModel`. */
export type ModelId = (typeof MODELS)[number]['id'];

export const MODEL_IDS: readonly ModelId[] = MODELS.map(({ id }) => id);

/** What at least one model takes as an image. */
export const IMAGES_OF_ANY_MODEL: ImageRules = MODELS.map(({ image }): ImageRules => image).reduce(
  (one, other) => ({
    mediaTypes: [...new Set([...one.mediaTypes, ...other.mediaTypes])],
    maxBytes: Math.max(one.maxBytes, other.maxBytes),
    minSide: loosest(Math.min, one.minSide, other.minSide),
    maxSide: loosest(Math.max, one.maxSide, other.maxSide),
    maxRatio: loosest(Math.max, one.maxRatio, other.maxRatio),
  }),
);

/** No limit if one of both has none. */
function loosest(choose: typeof Math.min, one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : choose(one, other);
}

/** By the value of the enum. Throws if there is none, which the schema and the settings prevent. */
export function modelById(id: ModelId): Model {
  const model = MODELS.find((known) => known.id === id);
  if (!model) throw new Error(`there is no model ${id}`);
  return model;
}

/** By the provider's id; null for a model that this version does not know. */
export function modelByName(name: string): Model | null {
  return MODELS.find((known) => known.name === name) ?? null;
}

const NO_OPTIONS: VideoOptions = {
  durationSeconds: null,
  resolution: null,
  sound: null,
  negativePrompt: null,
  seed: null,
};

/** The options of a video: what a client asked for, and else what the model takes by itself. */
export function withDefaults(model: Model, asked: VideoOptions = NO_OPTIONS): VideoOptions {
  return {
    ...asked,
    durationSeconds: asked.durationSeconds ?? model.durationSeconds.default,
    resolution: asked.resolution ?? model.resolution.default,
    sound: asked.sound ?? model.sound.default,
  };
}

/** Credits by the price list in the code, for one image and the default options unless others are given; null if unknown. */
export function listPrice(
  model: Model,
  input: Partial<Pick<ModelInput, 'endImageUrl' | 'options'>> = {},
): number | null {
  return model.price.credits({ endImageUrl: null, options: withDefaults(model), ...input });
}
