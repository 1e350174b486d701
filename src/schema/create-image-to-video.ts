import { createImageToVideo } from '../resolvers/mutations.ts';
import type { CreateResult } from '../tasks/create.ts';
import { builder } from './builder.ts';
import { ProviderErrorType, UserErrorInterface, ValidationErrorType } from './errors.ts';
import { TaskType } from './task.ts';

const CreateImageToVideoInput = builder.inputType('CreateImageToVideoInput', {
  description: 'The image, the prompt and the options of a new video.',
  fields: (t) => ({
    prompt: t.string({
      required: true,
      description: 'Describes what should happen in the video: 1 to 1500 characters, not only white space.',
    }),
    imageUrl: t.string({
      required: true,
      description:
        'URL of the first frame: absolute, http or https, without credentials, at most 2048 characters. The provider fetches it: JPEG, PNG or WebP, at most 10 MB.',
    }),
    endImageUrl: t.string({
      description: 'URL of the last frame, under the same rules as imageUrl. null or "" for none.',
    }),
    promptOptimizer: t.boolean({
      description: 'Whether the provider may rewrite the prompt. The provider decides when it is omitted.',
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
