import { cursorOf, type TaskPage } from '../tasks/list-tasks.ts';
import type { Task } from '../tasks/task.ts';
import { builder } from './builder.ts';
import { PageInfoType } from './page-info.ts';
import { TaskType } from './task.ts';

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

export const TaskConnectionType = builder.objectRef<TaskPage>('TaskConnection').implement({
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
