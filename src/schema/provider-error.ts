import type { CreateResult } from '../tasks/create-task.ts';
import { isRetryable } from '../tasks/failure.ts';
import { builder } from './builder.ts';
import { ProviderErrorCodeEnum } from './provider-error-code.ts';
import { UserErrorInterface } from './user-error.ts';

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
