import { cursorOf, type TaskPage } from '../tasks/list.ts';
import { builder } from './builder.ts';
import type { Task } from '../tasks/task.ts';
import { TaskType, TaskStateEnum } from './task.ts';
import { creditsRemaining, task, DEFAULT_FIRST, tasks } from '../resolvers/queries.ts';

const PageInfoType = builder.objectRef<TaskPage>('PageInfo').implement({
  description: 'Where a page stands in its list, as the Relay cursor connections specification has it.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are older tasks.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether this page was reached from a newer one.',
    }),
    startCursor: t.string({
      nullable: true,
      description: 'The cursor of the first edge; null on an empty page.',
      resolve: ({ tasks: [first] }) => (first ? cursorOf(first) : null),
    }),
    endCursor: t.string({
      nullable: true,
      description:
        'The cursor of the last edge, to be given as `after` for the next page; null on an empty page.',
      resolve: ({ tasks }) => {
        const last = tasks.at(-1);
        return last ? cursorOf(last) : null;
      },
    }),
  }),
});

const TaskEdgeType = builder.objectRef<Task>('TaskEdge').implement({
  description: 'A task in a list.',
  fields: (t) => ({
    cursor: t.string({
      description: "The task's place in the list, to be given as `after`.",
      resolve: (task) => cursorOf(task),
    }),
    node: t.field({ type: TaskType, description: 'The task.', resolve: (task) => task }),
  }),
});

const TaskConnectionType = builder.objectRef<TaskPage>('TaskConnection').implement({
  description: 'A page of tasks, newest first.',
  fields: (t) => ({
    edges: t.field({
      type: [TaskEdgeType],
      description: 'The tasks of this page, each with its cursor.',
      resolve: ({ tasks }) => tasks,
    }),
    pageInfo: t.field({
      type: PageInfoType,
      description: 'Where this page stands in the list.',
      resolve: (page) => page,
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description:
        'The newest revision of any task before this page was read. Subscribe to `tasksUpdated` with it as `after` ' +
        'and you miss nothing.',
    }),
  }),
});

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
