import type { CreateInput, Model } from '../api/operations.ts';

/** What a video is made with beyond model, prompt and first image. null, or left out: the model's default. */
export type Options = Pick<
  CreateInput,
  'endImageUrl' | 'promptOptimizer' | 'durationSeconds' | 'resolution' | 'sound' | 'negativePrompt' | 'seed'
>;

/** The options that the model has; the gateway would reject the others. */
export function supported(model: Model, given: Options): Options {
  return {
    endImageUrl: valueIf(model.lastImage !== 'NONE', given.endImageUrl),
    promptOptimizer: valueIf(model.promptOptimizer !== 'NONE', given.promptOptimizer),
    durationSeconds: valueIf(model.durations.length > 0, given.durationSeconds),
    resolution: valueIf(model.resolutions.length > 0, given.resolution),
    sound: valueIf(model.sound !== 'NONE', given.sound),
    negativePrompt: valueIf(model.negativePrompt !== 'NONE', given.negativePrompt),
    seed: valueIf(model.seed !== 'NONE', given.seed),
  };
}

function valueIf<Value>(isSupported: boolean, value: Value | undefined): Value | null {
  return isSupported ? (value ?? null) : null;
}

/** What the user chose, as far as the model takes it, and the model's defaults. */
export function chosenFor(model: Model, asked: Options): Options {
  return supported(model, {
    ...asked,
    promptOptimizer: asked.promptOptimizer ?? true,
    durationSeconds: model.durations.find((one) => one === asked.durationSeconds) ?? model.defaultDuration,
    resolution: model.resolutions.find((one) => one === asked.resolution) ?? model.defaultResolution,
  });
}
