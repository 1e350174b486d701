import type { TaskState } from '../tasks/task.ts';
import { builder } from './builder.ts';
import { enumValues } from './enum-values.ts';

export const TaskStateEnum = builder.enumType('TaskState', {
  description: 'How far a task has come. A task only ever moves forward, and may skip states.',
  values: enumValues<TaskState>({
    SUBMITTING:
      'Stored by Kineograph and on its way: waiting for its turn, or not (yet) known to be accepted by the provider.',
    WAITING: 'Accepted by the provider; generation has not begun.',
    QUEUING: "In the provider's queue.",
    GENERATING: 'The video is being made.',
    SUCCESS: 'Done: `videos` holds the result. Terminal.',
    FAIL:
      'Ended without a video: `failure` says why. Terminal, except that an `EXPIRED` or `SUBMISSION_UNKNOWN` ' +
      'failure gives way when the true result arrives after all.',
  }),
});
