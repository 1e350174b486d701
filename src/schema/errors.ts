import { builder, enumValues } from './builder.ts';
import type { CreateResult } from '../tasks/create.ts';
import type { ValidationIssue, ValidationIssueCode } from '../tasks/validate-input.ts';
import { isRetryable } from '../tasks/failure.ts';
import { ProviderErrorCodeEnum } from './task.ts';

export const UserErrorInterface = builder.interfaceRef<unknown>('UserError').implement({
  description: 'An expected failure, returned as data.',
  fields: (t) => ({
    message: t.string({
      description: 'What went wrong and how to fix it, as text.',
      resolve: () => {
        throw new Error('every type that implements UserError says its own message');
      },
    }),
  }),
});

const ValidationIssueCodeEnum = builder.enumType('ValidationIssueCode', {
  description: 'Problems of an input field.',
  values: enumValues<ValidationIssueCode>({
    REQUIRED: 'The text is empty or only white space.',
    TOO_SHORT: 'The prompt has fewer characters (Unicode code points) than the model needs.',
    TOO_LONG: 'The text has more characters (Unicode code points) than allowed.',
    NOT_A_URL: 'The text is not an absolute URL.',
    URL_SCHEME: 'The URL does not start with http:// or https://.',
    URL_CREDENTIALS: 'The URL contains a user name or password.',
    INVALID_CHARACTERS: 'The text contains NUL or an unpaired surrogate.',
    NOT_SUPPORTED: 'The model does not have this field.',
    NOT_ALLOWED:
      'The model does not take this value, or not together with the others. The message lists what it takes.',
    IMAGE_UNREACHABLE: 'The image cannot be fetched from a public address.',
    IMAGE_TYPE: 'The image has none of the media types that the model takes, by its first bytes.',
    IMAGE_BROKEN: 'The image is empty, or its header is damaged or cut short.',
    IMAGE_ANIMATED: 'The image is animated.',
    IMAGE_TOO_LARGE: 'The image has more bytes than the model takes.',
    IMAGE_TOO_SMALL: 'A side of the image is shorter than the model takes.',
    IMAGE_TOO_MANY_PIXELS:
      'The image has more than 100 megapixels, or a side that is longer than the model takes.',
    IMAGE_ASPECT_RATIO: 'The image is too long or too wide for the model.',
  }),
});

const ValidationIssueType = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'One problem of one field.',
  fields: (t) => ({
    path: t.stringList({
      description: 'Path of the field, starting at the argument: ["input", "imageUrl"].',
      resolve: ({ field }) => ['input', field],
    }),
    code: t.expose('code', { type: ValidationIssueCodeEnum, description: 'The problem, as a code.' }),
    message: t.exposeString('message', { description: 'The problem and how to fix it, as text.' }),
  }),
});

export const ValidationErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'invalid' }>>('ValidationError')
  .implement({
    description: 'The input is invalid. Nothing was stored, sent or charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: 'All problems, as one text.',
        resolve: ({ issues }) => issues.map((issue) => issue.message).join(' '),
      }),
      issues: t.field({
        type: [ValidationIssueType],
        description: 'All problems of the input.',
        resolve: ({ issues }) => issues,
      }),
    }),
  });

export const ProviderErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'refused' }>>('ProviderError')
  .implement({
    description:
      'The provider rejected the task, or this gateway does not offer the model. Nothing was created or charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: "The reason, as text: the provider's message if it sent one.",
        resolve: ({ failure }) => failure.message,
      }),
      code: t.field({
        type: ProviderErrorCodeEnum,
        description: 'The reason, as a code.',
        resolve: ({ failure }) => failure.code,
      }),
      providerCode: t.string({
        nullable: true,
        description: "The provider's raw code, if it sent one.",
        resolve: ({ failure }) => failure.providerCode,
      }),
      retryable: t.boolean({
        description: 'Whether a retry with the same input can succeed.',
        resolve: ({ failure }) => isRetryable(failure.code),
      }),
    }),
  });
