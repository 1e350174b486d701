import { creditsRemaining } from '../resolvers/credits-remaining.ts';
import { task } from '../resolvers/task.ts';
import { DEFAULT_FIRST, tasks } from '../resolvers/tasks.ts';
import { builder } from './builder.ts';
import { TaskConnectionType } from './task-connection.ts';
import { TaskStateEnum } from './task-state.ts';
import { TaskType } from './task.ts';

const AccountType = builder.objectRef<object>('Account').implement({
  description: "The operator's account at the provider.",
  fields: (t) => ({
    creditsRemaining: t.float({
      nullable: true,
      description: 'null when the provider cannot be asked right now, or you may not know.',
      resolve: (_account, _args, context) => creditsRemaining(context),
    }),
  }),
});

builder.queryFields((t) => ({
  task: t.field({
    type: TaskType,
    nullable: true,
    description: 'One task; null when there is none, or it belongs to somebody else.',
    args: { id: t.arg.id({ required: true, description: "Our id, or the provider's task id." }) },
    resolve: (_root, { id }, context) => task(id, context),
  }),
  tasks: t.field({
    type: TaskConnectionType,
    description: 'Your tasks, newest first.',
    args: {
      first: t.arg.int({ defaultValue: DEFAULT_FIRST, description: 'How many: 1 to 100.' }),
      after: t.arg.string({ description: '`pageInfo.endCursor` of the page before.' }),
      states: t.arg({
        type: [TaskStateEnum],
        description: 'Only tasks in these states; all when empty or left out.',
      }),
    },
    resolve: (_root, args, context) => tasks(args, context),
  }),
  account: t.field({
    type: AccountType,
    description: "The operator's account at the provider.",
    resolve: () => ({}),
  }),
}));
