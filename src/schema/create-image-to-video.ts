import { createImageToVideo } from '../resolvers/mutations.ts';
import type { CreateResult } from '../tasks/create.ts';
import { builder } from './builder.ts';
import { ProviderErrorType, UserErrorInterface, ValidationErrorType } from './errors.ts';
import { TaskType } from './task.ts';

const CreateImageToVideoInput = builder.inputType('CreateImageToVideoInput', {
  description: 'What the video is to be made of.',
  fields: (t) => ({
    prompt: t.string({
      required: true,
      description: 'What is to happen in the video: 1 to 1500 characters, not only white space.',
    }),
    imageUrl: t.string({
      required: true,
      description:
        'The picture that the video begins with: an absolute http(s) URL without credentials, at most 2048 ' +
        'characters. The provider fetches it: JPEG, PNG or WebP, at most 10 MB.',
    }),
    endImageUrl: t.string({
      description: 'The picture that the video ends with, likewise; null or "" for none.',
    }),
    promptOptimizer: t.boolean({
      description: 'Whether the provider may rewrite the prompt; left to the provider when not given.',
    }),
    idempotencyKey: t.string({
      description:
        '1 to 255 characters that you make up once for this video. The same key with the same input gives the same ' +
        'task, whoever retries and however often, so that a lost answer never costs twice.',
    }),
  }),
});

const SuccessType = builder
  .objectRef<Extract<CreateResult, { kind: 'success' }>>('CreateImageToVideoSuccess')
  .implement({
    description: 'The task is stored and will be brought to its end, whatever happens to this connection.',
    fields: (t) => ({
      task: t.field({
        type: TaskType,
        description: 'The task; subscribe to `taskUpdated` with its id.',
        resolve: ({ task }) => task,
      }),
    }),
  });

const IdempotencyConflictErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'conflict' }>>('IdempotencyConflictError')
  .implement({
    description: 'The same idempotencyKey was used with another input. Nothing was stored, sent or charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: 'What went wrong and what can be done, for people.',
        resolve: () =>
          'This idempotencyKey was used with another input. Take a new key for a new video, or the old input for the old one.',
      }),
      task: t.field({
        type: TaskType,
        description: 'The task that has the key.',
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
    'Expected outcomes are data; a top-level GraphQL error means a bug, a bad request or no permission.',
  types: [SuccessType, ValidationErrorType, ProviderErrorType, IdempotencyConflictErrorType],
  resolveType: ({ kind }) => TYPE_NAMES[kind],
});

builder.mutationField('createImageToVideo', (t) =>
  t.field({
    type: CreateImageToVideoResult,
    description:
      'Has a video made of a picture. Answers once the provider has taken it, or after a bounded wait.',
    args: {
      input: t.arg({ type: CreateImageToVideoInput, required: true, description: 'What to make it of.' }),
    },
    resolve: (_root, { input }, context) => createImageToVideo(input, context),
  }),
);
