import { isRetryable, type TaskFailure } from '../tasks/failure.ts';
import type { Task } from '../tasks/task.ts';
import { builder } from './builder.ts';
import { ProviderErrorCodeEnum } from './provider-error-code.ts';

/** A failure, and what its task cost. */
type FailedTask = TaskFailure & Pick<Task, 'creditsConsumed'>;

export const TaskFailureType = builder.objectRef<FailedTask>('TaskFailure').implement({
  description: 'Why a task ended without a video.',
  fields: (t) => ({
    code: t.field({
      type: ProviderErrorCodeEnum,
      description: 'The reason, for programs.',
      resolve: (failure) => failure.code,
    }),
    providerCode: t.exposeString('providerCode', {
      nullable: true,
      description: 'The raw code from the provider, when there is one.',
    }),
    message: t.exposeString('message', {
      description: "The reason, for people; in the provider's words where it gave any.",
    }),
    retryable: t.boolean({
      description:
        'Whether the same input may succeed later while nothing was charged for this attempt. False where a new ' +
        'attempt might pay twice.',
      resolve: ({ code, creditsConsumed }) => isRetryable(code, creditsConsumed),
    }),
  }),
});
