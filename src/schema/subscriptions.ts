import { taskUpdated, tasksUpdated } from '../resolvers/subscriptions.ts';
import { builder } from './builder.ts';
import { TaskType } from './task.ts';

builder.subscriptionFields((t) => ({
  taskUpdated: t.field({
    type: TaskType,
    description:
      'One task: first its current state, then one event per change. Completes after SUCCESS or FAIL. An unknown id gives one error with `extensions.code` NOT_FOUND.',
    args: {
      id: t.arg.id({ required: true, description: "The task's id, or the provider's task id." }),
      after: t.arg({
        type: 'SafeInt',
        description: 'The revision that you already have. The first event is skipped unless it is newer.',
      }),
    },
    subscribe: (_root, args, context) => taskUpdated(args, context),
    resolve: (task) => task,
  }),
  tasksUpdated: t.field({
    type: TaskType,
    description:
      'Every change of each of your tasks. Never completes. To miss nothing, query `tasks`, subscribe with `after: tasks.revision`, and resubscribe with the largest revision that you have received. A change may be delivered twice. A newer state of a task is never followed by an older one.',
    args: {
      after: t.arg({
        type: 'SafeInt',
        description:
          'First delivers every task that changed after this revision, in its newest state. A revision that does not exist yet is an error with `extensions.code` BAD_USER_INPUT. When omitted, only new changes are delivered.',
      }),
    },
    subscribe: (_root, { after }, context) => tasksUpdated(after, context),
    resolve: (task) => task,
  }),
}));
