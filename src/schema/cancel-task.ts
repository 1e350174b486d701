import { cancelTask } from '../resolvers/mutations.ts';
import type { CancelResult } from '../tasks/cancel.ts';
import { builder, enumValues } from './builder.ts';
import { TaskType } from './task.ts';
import { UserErrorInterface } from './errors.ts';

type TooLate = Extract<CancelResult, { kind: 'too-late' }>;

const SuccessType = builder
  .objectRef<Extract<CancelResult, { kind: 'cancelled' }>>('CancelTaskSuccess')
  .implement({
    description: 'The task is cancelled. It was never sent to the provider, so nothing was charged.',
    fields: (t) => ({
      task: t.field({
        type: TaskType,
        description:
          'The task. Its state is now FAIL with the code CANCELLED, and its idempotencyKey can be used again.',
        resolve: ({ task }) => task,
      }),
    }),
  });

const ReasonEnum = builder.enumType('CannotCancelReason', {
  description: 'Why a task cannot be cancelled.',
  values: enumValues<TooLate['reason']>({
    ALREADY_SENT:
      'The task was sent to the provider, which cannot cancel. It continues there and is charged.',
    ALREADY_ENDED: 'The task is completed.',
  }),
});

const MESSAGES = {
  ALREADY_SENT:
    'The task was sent to the provider, which cannot cancel and will charge for the video. Only a task that still waits its turn here can be cancelled.',
  ALREADY_ENDED: 'The task has ended: there is nothing to cancel.',
} as const;

const CannotCancelErrorType = builder.objectRef<TooLate>('CannotCancelError').implement({
  description: 'It is too late to cancel. The task is unchanged.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    message: t.string({
      description: 'What went wrong and how to fix it, as text.',
      resolve: ({ reason }) => MESSAGES[reason],
    }),
    reason: t.field({
      type: ReasonEnum,
      description: 'The reason, as a code.',
      resolve: ({ reason }) => reason,
    }),
    task: t.field({
      type: TaskType,
      description: 'The task in its current state.',
      resolve: ({ task }) => task,
    }),
  }),
});

const CancelTaskResult = builder.unionType('CancelTaskResult', {
  description: 'Expected outcomes are data. A task that you cannot see is an error with the code NOT_FOUND.',
  types: [SuccessType, CannotCancelErrorType],
  resolveType: ({ kind }) => (kind === 'cancelled' ? SuccessType : CannotCancelErrorType),
});

builder.mutationField('cancelTask', (t) =>
  t.field({
    type: CancelTaskResult,
    description:
      'Cancels a task that was not sent to the provider yet, free of charge. A task that was sent cannot be cancelled. Safe to retry.',
    args: { id: t.arg.id({ required: true, description: "The task's id." }) },
    resolve: (_root, { id }, context) => cancelTask(id, context),
  }),
);
