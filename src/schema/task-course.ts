import { OperationTypeNode } from 'graphql';
import { queuePosition } from '../resolvers/queue-position.ts';
import { builder } from './builder.ts';
import { TaskType } from './task.ts';
import { TimelineEntryType } from './timeline-entry.ts';

/** How far a task is, and how it came there. */
builder.objectFields(TaskType, (t) => ({
  expectedAt: t.expose('expectedAt', {
    type: 'DateTime',
    nullable: true,
    description:
      'When the video may be there, by the median of the newest 100; as of the last change of the task. null until the ' +
      'provider has the task, once it has ended, and while fewer than five videos were made here.',
  }),
  queuePosition: t.int({
    nullable: true,
    description:
      'Its place among all tasks that wait their turn here, whose ever they are: 1 is sent next. null once it was sent, ' +
      'and in events of subscriptions: others move it without a change of this task, so query it.',
    resolve: (task, _args, context, { operation }) =>
      queuePosition(task, context, { isEvent: operation.operation === OperationTypeNode.SUBSCRIPTION }),
  }),
  timeline: t.expose('timeline', {
    type: [TimelineEntryType],
    description:
      'The states that it came to, in order: a dozen at most. Empty for tasks from before Kineograph kept it.',
  }),
}));
