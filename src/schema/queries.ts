import { cursorOf, type TaskPage } from '../tasks/list.ts';
import { builder } from './builder.ts';
import type { Task } from '../tasks/task.ts';
import { TaskType, TaskStateEnum } from './task.ts';
import { creditsRemaining, task, DEFAULT_FIRST, tasks } from '../resolvers/queries.ts';

const PageInfoType = builder.objectRef<TaskPage>('PageInfo').implement({
  description: 'Pagination info as defined by the Relay cursor connections specification.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are older tasks.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether there are newer tasks.',
    }),
    startCursor: t.string({
      nullable: true,
      description: 'The cursor of the first edge. null on an empty page.',
      resolve: ({ tasks: [first] }) => (first ? cursorOf(first) : null),
    }),
    endCursor: t.string({
      nullable: true,
      description:
        'The cursor of the last edge: pass it as `after` to get the next page. null on an empty page.',
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
      description: "The task's cursor: pass it as `after`.",
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
      description: 'Pagination info.',
      resolve: (page) => page,
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description:
        'The newest revision before this page was read. Pass it to `tasksUpdated` as `after` to miss nothing.',
    }),
  }),
});

const AccountType = builder.objectRef<object>('Account').implement({
  description: "The operator's account with the provider.",
  fields: (t) => ({
    creditsRemaining: t.float({
      nullable: true,
      description: 'null when the provider cannot be reached, or when you are not allowed to see it.',
      resolve: (_account, _args, context) => creditsRemaining(context),
    }),
  }),
});

builder.queryFields((t) => ({
  task: t.field({
    type: TaskType,
    nullable: true,
    description: 'One task. null when it does not exist or belongs to another owner.',
    args: { id: t.arg.id({ required: true, description: "The task's id, or the provider's task id." }) },
    resolve: (_root, { id }, context) => task(id, context),
  }),
  tasks: t.field({
    type: TaskConnectionType,
    description: 'Your tasks, newest first.',
    args: {
      first: t.arg.int({ defaultValue: DEFAULT_FIRST, description: 'Page size: 1 to 100.' }),
      after: t.arg.string({ description: '`pageInfo.endCursor` of the previous page.' }),
      states: t.arg({
        type: [TaskStateEnum],
        description: 'Only tasks in these states. All tasks when empty or omitted.',
      }),
    },
    resolve: (_root, args, context) => tasks(args, context),
  }),
  account: t.field({
    type: AccountType,
    description: "The operator's account with the provider.",
    resolve: () => ({}),
  }),
}));
