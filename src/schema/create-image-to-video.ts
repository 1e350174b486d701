import { DEFAULT_MODEL } from '../models/index.ts';
import { createImageToVideo } from '../resolvers/mutations.ts';
import { estimateImageToVideo } from '../resolvers/queries.ts';
import type { CreateResult } from '../tasks/create.ts';
import type { EstimateResult } from '../tasks/estimate.ts';
import { builder, enumValues } from './builder.ts';
import { ProviderErrorType, UserErrorInterface, ValidationErrorType } from './errors.ts';
import { ImageToVideoModelEnum, VideoResolutionEnum } from './model.ts';
import { TaskType } from './task.ts';

const CreateImageToVideoInput = builder.inputType('CreateImageToVideoInput', {
  description: 'The image, the prompt and the options of a new video.',
  fields: (t) => ({
    prompt: t.string({
      required: true,
      description:
        'Describes what should happen in the video, not only white space. Its length is between `promptMinLength` and `promptMaxLength` of the model.',
    }),
    imageUrl: t.string({
      required: true,
      description:
        'URL of the first frame: absolute, http or https, without credentials, at most 2048 characters. The provider fetches it; the model says by `image` what it takes.',
    }),
    endImageUrl: t.string({
      description: 'URL of the last frame, under the same rules as imageUrl. null or "" for none.',
    }),
    promptOptimizer: t.boolean({
      description: 'Whether the provider may rewrite the prompt. The provider decides when it is omitted.',
    }),
    model: t.field({
      type: ImageToVideoModelEnum,
      defaultValue: DEFAULT_MODEL.id,
      description: 'The model that makes the video. A field that it does not have is NOT_SUPPORTED.',
    }),
    durationSeconds: t.int({ description: "Length of the video. The model's default when omitted." }),
    resolution: t.field({
      type: VideoResolutionEnum,
      description: "Resolution of the video. The model's default when omitted.",
    }),
    sound: t.boolean({ description: "Whether the video has sound. The model's default when omitted." }),
    negativePrompt: t.string({
      description:
        'What should not be in the video, for models that have `negativePrompt`. null or "" for nothing.',
    }),
    seed: t.int({
      description:
        'From 0 to `seedMax`, for models that have `seed`. The same seed and input give a similar video.',
    }),
    idempotencyKey: t.string({
      description:
        'A key of 1 to 255 characters, generated once per video. Every retry with the same key and input returns the same task, so a lost response is never paid for twice.',
    }),
  }),
});

const SuccessType = builder
  .objectRef<Extract<CreateResult, { kind: 'success' }>>('CreateImageToVideoSuccess')
  .implement({
    description: 'The task is stored. It continues to its final state even if this connection is lost.',
    fields: (t) => ({
      task: t.field({
        type: TaskType,
        description: 'The new task. Subscribe to `taskUpdated` with its id.',
        resolve: ({ task }) => task,
      }),
    }),
  });

const IdempotencyConflictErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'conflict' }>>('IdempotencyConflictError')
  .implement({
    description:
      'The idempotencyKey was already used with a different input. Nothing was stored, sent or charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: 'What went wrong and how to fix it, as text.',
        resolve: () =>
          'This idempotencyKey was used with another input. Take a new key for a new video, or the old input for the old one.',
      }),
      task: t.field({
        type: TaskType,
        description: 'The task that was created with the key.',
        resolve: ({ task }) => task,
      }),
    }),
  });

const TYPE_NAMES = {
  success: 'CreateImageToVideoSuccess',
  invalid: 'ValidationError',
  refused: 'ProviderError',
  conflict: 'IdempotencyConflictError',
} as const;

const CreateImageToVideoResult = builder.unionType('CreateImageToVideoResult', {
  description:
    'Expected outcomes are data. A top-level GraphQL error means a bug, an invalid request or missing permission.',
  types: [SuccessType, ValidationErrorType, ProviderErrorType, IdempotencyConflictErrorType],
  resolveType: ({ kind }) => TYPE_NAMES[kind],
});

builder.mutationField('createImageToVideo', (t) =>
  t.field({
    type: CreateImageToVideoResult,
    description:
      'Creates a video from an image. Responds when the provider accepts the task, or after a bounded wait.',
    args: {
      input: t.arg({ type: CreateImageToVideoInput, required: true, description: 'The input.' }),
    },
    resolve: (_root, { input }, context) => createImageToVideo(input, context),
  }),
);

type Estimated = Extract<EstimateResult, { kind: 'estimate' }>;

const EstimateSourceEnum = builder.enumType('EstimateSource', {
  description: 'Where an estimate of credits comes from.',
  values: enumValues<NonNullable<Estimated['estimate']['source']>>({
    CHARGED: 'The last video of the same model and options was charged this here.',
    PRICE_LIST: "The provider's price list, as of the version of the gateway.",
  }),
});

const EstimateType = builder.objectRef<Estimated>('ImageToVideoEstimate').implement({
  description: 'What a video would cost, and how long it may take.',
  fields: (t) => ({
    credits: t.float({
      nullable: true,
      description: 'The expected charge. null when nobody knows.',
      resolve: ({ estimate }) => estimate.credits,
    }),
    source: t.field({
      type: EstimateSourceEnum,
      nullable: true,
      description: 'Where `credits` comes from. null with it.',
      resolve: ({ estimate }) => estimate.source,
    }),
    expectedSeconds: t.int({
      nullable: true,
      description:
        'The median of the newest 100 videos of the same model and options. null until this gateway has made five.',
      resolve: ({ estimate }) => estimate.expectedSeconds,
    }),
  }),
});

const EstimateImageToVideoResult = builder.unionType('EstimateImageToVideoResult', {
  description: 'The estimate, or why `createImageToVideo` would refuse the input.',
  types: [EstimateType, ValidationErrorType, ProviderErrorType],
  resolveType: ({ kind }) => ESTIMATE_TYPE_NAMES[kind],
});

const ESTIMATE_TYPE_NAMES = {
  estimate: 'ImageToVideoEstimate',
  invalid: 'ValidationError',
  refused: 'ProviderError',
} as const;

builder.queryField('estimateImageToVideo', (t) =>
  t.field({
    type: EstimateImageToVideoResult,
    description:
      'What `createImageToVideo` would cost with this input, and whether it would take it. Stores and sends nothing, and fetches no image.',
    args: {
      input: t.arg({ type: CreateImageToVideoInput, required: true, description: 'The input.' }),
    },
    resolve: (_root, { input }, context) => estimateImageToVideo(input, context),
  }),
);
