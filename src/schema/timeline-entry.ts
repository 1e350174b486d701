import type { TimelineEntry, UpdateSource } from '../tasks/timeline.ts';
import { builder } from './builder.ts';
import { enumValues } from './enum-values.ts';
import { TaskStateEnum } from './task-state.ts';

const UpdateSourceEnum = builder.enumType('UpdateSource', {
  description: 'Who told of a change of a task.',
  values: enumValues<UpdateSource>({
    GATEWAY: 'Nobody: Kineograph took the task, cancelled it, or ended it when its time was over.',
    CREATE_ANSWER: "The provider, in its answer to the task's create call.",
    CALLBACK: 'The provider, in a callback.',
    QUERY: 'The provider, when it was asked about the task.',
  }),
});

export const TimelineEntryType = builder.objectRef<TimelineEntry>('TimelineEntry').implement({
  description: 'A state that a task came to.',
  fields: (t) => ({
    state: t.expose('state', { type: TaskStateEnum, description: 'The state.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When Kineograph heard of it.' }),
    source: t.expose('source', { type: UpdateSourceEnum, description: 'Who told of it.' }),
  }),
});
