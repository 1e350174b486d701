/** Resolutions in ascending order. P1440 is the provider's "2K". */
export const RESOLUTIONS = ['P480', 'P512', 'P720', 'P768', 'P1080', 'P1440'] as const;

export type Resolution = (typeof RESOLUTIONS)[number];

/** What a video is made with beyond prompt and images. A field is null if it was not given or is not known. */
export interface VideoOptions {
  readonly durationSeconds: number | null;
  readonly resolution: Resolution | null;
  readonly sound: boolean | null;
  readonly negativePrompt: string | null;
  readonly seed: number | null;
}

/** What a client asks for: valid for the model, and with the model's defaults filled in. */
export interface ModelInput {
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl: string | null;
  /** null if the client omitted it; then the provider decides. */
  readonly promptOptimizer: boolean | null;
  readonly options: VideoOptions;
}

/** Whether a model has a field. REQUIRED: every create call contains it, so that a client may omit it only if there is a default. */
export type FieldSupport = 'NONE' | 'OPTIONAL' | 'REQUIRED';

export type MediaType = 'image/jpeg' | 'image/png' | 'image/webp' | 'image/heic';

/** What a model takes as an image. Sides are in pixels, and the ratio is the longer side by the shorter one; null: not known. */
export interface ImageRules {
  readonly mediaTypes: readonly MediaType[];
  readonly maxBytes: number;
  readonly minSide: number | null;
  readonly maxSide: number | null;
  readonly maxRatio: number | null;
}

/** Values to choose from, in ascending order, and the one that is taken without a choice. */
interface Choice<Value> {
  /** Empty if there is nothing to choose. */
  readonly values: readonly Value[];
  /** null if nobody knows it. */
  readonly default: Value | null;
}

/** Values that do not go together. */
export interface Conflict {
  readonly field: keyof VideoOptions;
  /** What is wrong and how to fix it, as the end of a sentence that begins with the field. */
  readonly message: string;
}

interface Price {
  /** The month in which the list was read, as in `2026-09`. Prices change within a quarter. */
  readonly readAt: string;
  /** The list in words, for the documentation. */
  readonly list: string;
  /** Whether somebody saw such a charge. */
  readonly isSeen?: true;
  /** Credits for one video; null if nobody knows. */
  readonly credits: (input: Pick<ModelInput, 'endImageUrl' | 'options'>) => number | null;
}

/** Everything about a model of the provider. The facts are copies of its documentation: nobody tried them against the service. */
export interface Model {
  /** The value of the GraphQL enum `ImageToVideoModel`. */
  readonly id: string;
  /** The provider's id, `Task.model`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** The provider's page. */
  readonly page: string;
  /** In Unicode code points. */
  readonly prompt: { readonly minLength: number; readonly maxLength: number };
  readonly lastImage: FieldSupport;
  readonly durationSeconds: Choice<number>;
  readonly resolution: Choice<Resolution>;
  readonly sound: { readonly support: FieldSupport; readonly default: boolean | null };
  /** In Unicode code points; null if the model has none. */
  readonly negativePrompt: { readonly maxLength: number } | null;
  /** From 0 to `max`; null if the model has none. */
  readonly seed: { readonly max: number } | null;
  readonly promptOptimizer: FieldSupport;
  readonly image: ImageRules;
  /** Whether the provider documents the image rules, or the gateway assumes them. */
  readonly imageRulesAre: 'documented' | 'assumed';
  /** A combination that the model does not take; null if these options go together. */
  readonly conflict: (options: VideoOptions) => Conflict | null;
  readonly price: Price;
  /** `input` of the provider's create call. */
  readonly toProvider: (input: ModelInput) => Readonly<Record<string, unknown>>;
}

type Facts<Id extends string> = Pick<Model, 'name' | 'title' | 'page' | 'price' | 'toProvider'> &
  Partial<Omit<Model, 'prompt'>> & {
    readonly id: Id;
    readonly prompt: { readonly minLength?: number; readonly maxLength: number };
  };

/** A model from its facts. What is left out, the model does not have. */
export function defineModel<const Id extends string>(facts: Facts<Id>): Model & { readonly id: Id } {
  return {
    lastImage: 'NONE',
    durationSeconds: NO_CHOICE,
    resolution: NO_CHOICE,
    sound: { support: 'NONE', default: null },
    negativePrompt: null,
    seed: null,
    promptOptimizer: 'NONE',
    image: USUAL_IMAGES,
    imageRulesAre: 'assumed',
    conflict: () => null,
    ...facts,
    prompt: { minLength: 1, ...facts.prompt },
  };
}

const NO_CHOICE = { values: [], default: null };

/** What the default model takes by size and type. Most pages of other models say nothing about images. */
export const USUAL_IMAGES: ImageRules = {
  mediaTypes: ['image/jpeg', 'image/png', 'image/webp'],
  maxBytes: 10 * 1024 * 1024,
  minSide: null,
  maxSide: null,
  maxRatio: null,
};

/** Whole seconds from `first` to `last`. */
export function secondsFrom(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** `P720` as `720p` or, with another suffix, as `768P`. */
export function spelled(resolution: Resolution | null, suffix: 'p' | 'P'): string {
  return `${String(resolution).slice(1)}${suffix}`;
}
