import { cancelTask } from '../resolvers/mutations.ts';
import type { CancelResult } from '../tasks/cancel.ts';
import { builder, enumValues } from './builder.ts';
import { TaskType } from './task.ts';
import { UserErrorInterface } from './errors.ts';

type TooLate = Extract<CancelResult, { kind: 'too-late' }>;

const SuccessType = builder
  .objectRef<Extract<CancelResult, { kind: 'cancelled' }>>('CancelTaskSuccess')
  .implement({
    description: 'The task was never sent and never will be: nothing was charged.',
    fields: (t) => ({
      task: t.field({
        type: TaskType,
        description:
          'The task, whose state is FAIL now, with the code CANCELLED. Its idempotencyKey is free again.',
        resolve: ({ task }) => task,
      }),
    }),
  });

const ReasonEnum = builder.enumType('CannotCancelReason', {
  description: 'Why a task cannot be cancelled.',
  values: enumValues<TooLate['reason']>({
    ALREADY_SENT: 'It was sent to the provider, which cannot cancel: it goes on there and is charged.',
    ALREADY_ENDED: 'It has ended: there is nothing to cancel.',
  }),
});

const MESSAGES = {
  ALREADY_SENT:
    'The task was sent to the provider, which cannot cancel and will charge for the video. Only a task that still waits its turn here can be cancelled.',
  ALREADY_ENDED: 'The task has ended: there is nothing to cancel.',
} as const;

const CannotCancelErrorType = builder.objectRef<TooLate>('CannotCancelError').implement({
  description: 'It is too late to cancel: the task stays as it is.',
  interfaces: [UserErrorInterface],
  fields: (t) => ({
    message: t.string({
      description: 'What went wrong and what can be done, for people.',
      resolve: ({ reason }) => MESSAGES[reason],
    }),
    reason: t.field({
      type: ReasonEnum,
      description: 'The reason, for programs.',
      resolve: ({ reason }) => reason,
    }),
    task: t.field({
      type: TaskType,
      description: 'The task as it is now.',
      resolve: ({ task }) => task,
    }),
  }),
});

const CancelTaskResult = builder.unionType('CancelTaskResult', {
  description: 'Expected outcomes are data; a task that you may not see is an error with the code NOT_FOUND.',
  types: [SuccessType, CannotCancelErrorType],
  resolveType: ({ kind }) => (kind === 'cancelled' ? SuccessType : CannotCancelErrorType),
});

builder.mutationField('cancelTask', (t) =>
  t.field({
    type: CancelTaskResult,
    description:
      'Ends a task that still waits its turn here, exactly and free of charge. Once it was sent this is refused: the ' +
      'provider cannot cancel. May be repeated.',
    args: { id: t.arg.id({ required: true, description: 'The id of the task.' }) },
    resolve: (_root, { id }, context) => cancelTask(id, context),
  }),
);
