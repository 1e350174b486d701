import { taskUpdated, tasksUpdated } from '../resolvers/subscriptions.ts';
import { builder } from './builder.ts';
import { TaskType } from './task.ts';

builder.subscriptionFields((t) => ({
  taskUpdated: t.field({
    type: TaskType,
    description:
      'One task, live: first as it is now, then one event per change; completes by itself after SUCCESS or FAIL. An ' +
      'unknown id is answered with one error, `extensions.code` NOT_FOUND.',
    args: {
      id: t.arg.id({ required: true, description: "Our id, or the provider's task id." }),
      after: t.arg({
        type: 'SafeInt',
        description: 'The revision that you have: the first event is left out when it is not newer.',
      }),
    },
    subscribe: (_root, args, context) => taskUpdated(args, context),
    resolve: (task) => task,
  }),
  tasksUpdated: t.field({
    type: TaskType,
    description:
      'Every change of every task of yours, live, never completing by itself. Without a gap: query `tasks`, subscribe ' +
      'with `after: tasks.revision`, and after a lost connection with the largest revision that you have seen. ' +
      'A change may come twice; an older state of a task never follows a newer one.',
    args: {
      after: t.arg({
        type: 'SafeInt',
        description:
          'First every task that changed since this revision, in its newest state; beyond the newest revision it is ' +
          'an error, `extensions.code` BAD_USER_INPUT. Only what is new from now on when left out.',
      }),
    },
    subscribe: (_root, { after }, context) => tasksUpdated(after, context),
    resolve: (task) => task,
  }),
}));
