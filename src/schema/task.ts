import type { Task } from '../tasks/task.ts';
import { builder } from './builder.ts';
import { TaskFailureType } from './task-failure.ts';
import { TaskStateEnum } from './task-state.ts';
import { VideoType } from './video.ts';

export const TaskType = builder.objectRef<Task>('Task').implement({
  description: 'A picture that becomes a video: what was asked for, how far it is, and what came of it.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Given by Kineograph; never changes.' }),
    state: t.expose('state', { type: TaskStateEnum, description: 'How far the task has come.' }),
    model: t.exposeString('model', { description: "The provider's name of the model that makes the video." }),
    prompt: t.exposeString('prompt', { description: 'What is to happen in the video, as it was given.' }),
    imageUrl: t.exposeString('imageUrl', { description: 'The picture that the video begins with.' }),
    endImageUrl: t.exposeString('endImageUrl', {
      nullable: true,
      description: 'The picture that the video ends with, if one was given.',
    }),
    promptOptimizer: t.exposeBoolean('promptOptimizer', {
      nullable: true,
      description: 'Whether the provider may rewrite the prompt; null when it was left to the provider.',
    }),
    videos: t.expose('videos', {
      type: [VideoType],
      description: 'The result. Empty until the state is SUCCESS.',
    }),
    failure: t.field({
      type: TaskFailureType,
      nullable: true,
      description: 'Why there is no video. Set exactly when the state is FAIL.',
      resolve: ({ creditsConsumed, failure }) => failure && { ...failure, creditsConsumed },
    }),
    providerTaskId: t.exposeString('providerTaskId', {
      nullable: true,
      description: "The provider's id of the task; null until it has named it.",
    }),
    creditsConsumed: t.exposeFloat('creditsConsumed', {
      nullable: true,
      description: 'What the provider charged, in its credits; null when it does not say.',
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description:
        'Grows with every change of any task. Select it and keep the larger one: answers of queries and mutations ' +
        'may arrive after newer events.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When Kineograph took the task.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its state last changed.' }),
    completedAt: t.expose('completedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended. Set exactly when the state is SUCCESS or FAIL.',
    }),
  }),
});
