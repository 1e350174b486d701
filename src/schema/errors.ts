import { builder, enumValues } from './builder.ts';
import type { CreateResult } from '../tasks/create.ts';
import type { ValidationIssue, ValidationIssueCode } from '../tasks/validate-input.ts';
import { isRetryable } from '../tasks/failure.ts';
import { ProviderErrorCodeEnum } from './task.ts';

export const UserErrorInterface = builder.interfaceRef<unknown>('UserError').implement({
  description: 'An expected way not to succeed, as data.',
  fields: (t) => ({
    message: t.string({
      description: 'What went wrong and what can be done, for people.',
      resolve: () => {
        throw new Error('every type that implements UserError says its own message');
      },
    }),
  }),
});

const ValidationIssueCodeEnum = builder.enumType('ValidationIssueCode', {
  description: 'What is wrong with a field of the input.',
  values: enumValues<ValidationIssueCode>({
    REQUIRED: 'It is empty or holds only white space.',
    TOO_LONG: 'It has more characters (Unicode code points) than allowed.',
    NOT_A_URL: 'It is not an absolute URL.',
    URL_SCHEME: 'It is a URL that begins with neither http:// nor https://.',
    URL_CREDENTIALS: 'It is a URL with a user name or password in it.',
    INVALID_CHARACTERS: 'It holds NUL, or half of a surrogate pair.',
    IMAGE_UNREACHABLE: 'The picture cannot be fetched from a public address.',
    IMAGE_TYPE: 'The picture is neither JPEG, PNG nor WebP by its first bytes.',
    IMAGE_BROKEN: 'The image is empty, or its header is damaged or cut short.',
    IMAGE_ANIMATED: 'The picture is animated.',
    IMAGE_TOO_LARGE: 'The picture is larger than 10 MB.',
    IMAGE_TOO_SMALL: 'A side of the picture is not longer than 300 pixels.',
    IMAGE_TOO_MANY_PIXELS: 'The picture has more than 100 megapixels.',
    IMAGE_ASPECT_RATIO: 'The aspect ratio of the picture is not between 2:5 and 5:2.',
  }),
});

const ValidationIssueType = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'One problem of one field.',
  fields: (t) => ({
    path: t.stringList({
      description: 'Where the field is, from the argument on: ["input", "imageUrl"].',
      resolve: ({ field }) => ['input', field],
    }),
    code: t.expose('code', { type: ValidationIssueCodeEnum, description: 'The problem, for programs.' }),
    message: t.exposeString('message', { description: 'The problem and how to mend it, for people.' }),
  }),
});

export const ValidationErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'invalid' }>>('ValidationError')
  .implement({
    description: 'The input cannot be sent as it is. Nothing was stored, sent or charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: 'All problems in one text.',
        resolve: ({ issues }) => issues.map((issue) => issue.message).join(' '),
      }),
      issues: t.field({
        type: [ValidationIssueType],
        description: 'All problems of the input at once.',
        resolve: ({ issues }) => issues,
      }),
    }),
  });

export const ProviderErrorType = builder
  .objectRef<Extract<CreateResult, { kind: 'refused' }>>('ProviderError')
  .implement({
    description: 'The provider said no, for certain: nothing was created and nothing was charged.',
    interfaces: [UserErrorInterface],
    fields: (t) => ({
      message: t.string({
        description: "The reason, for people; in the provider's words where it gave any.",
        resolve: ({ failure }) => failure.message,
      }),
      code: t.field({
        type: ProviderErrorCodeEnum,
        description: 'The reason, for programs.',
        resolve: ({ failure }) => failure.code,
      }),
      providerCode: t.string({
        nullable: true,
        description: 'The raw code from the provider, when there is one.',
        resolve: ({ failure }) => failure.providerCode,
      }),
      retryable: t.boolean({
        description: 'Whether the same input may succeed later.',
        resolve: ({ failure }) => isRetryable(failure.code),
      }),
    }),
  });
