import SchemaBuilder from '@pothos/core';
import { createPubSub } from 'graphql-yoga';
import type { Failure, Task, TaskInput, Video } from './shared/task.ts';
import type { Tasks } from './shared/tasks.ts';

export type PubSub = ReturnType<typeof createTaskPubSub>;

export function createTaskPubSub() {
  return createPubSub<{ task: [id: string, task: Task]; tasks: [task: Task] }>();
}

interface Types {
  Scalars: {
    DateTime: { Input: number; Output: number };
    SafeInt: { Input: number; Output: number };
  };
}

/** The part of the contract that is measured, declared with Pothos as its guide shows. */
export function createSchema(tasks: Tasks, pubsub: PubSub) {
  const builder = new SchemaBuilder<Types>({});
  builder.scalarType('DateTime', { serialize: (time) => new Date(time).toISOString() });
  builder.scalarType('SafeInt', { serialize: (value) => value });
  const TaskType = taskType(builder);

  builder.queryType({
    fields: (t) => ({
      task: t.field({
        type: TaskType,
        nullable: true,
        args: { id: t.arg.id({ required: true }) },
        resolve: (_root, { id }) => tasks.get(id) ?? null,
      }),
    }),
  });
  mutation(builder, TaskType, (input) => tasks.create(input));
  builder.subscriptionType({
    fields: (t) => ({
      taskUpdated: t.field({
        type: TaskType,
        args: { id: t.arg.id({ required: true }), after: t.arg({ type: 'SafeInt' }) },
        subscribe: (_root, { id }) => pubsub.subscribe('task', id),
        resolve: (task) => task,
      }),
      tasksUpdated: t.field({
        type: TaskType,
        args: { after: t.arg({ type: 'SafeInt' }) },
        subscribe: () => pubsub.subscribe('tasks'),
        resolve: (task) => task,
      }),
    }),
  });
  return builder.toSchema();
}

type Builder = PothosSchemaTypes.SchemaBuilder<PothosSchemaTypes.ExtendDefaultTypes<Types>>;

function taskType(builder: Builder) {
  const VideoType = builder.objectRef<Video>('Video').implement({
    fields: (t) => ({
      url: t.exposeString('url'),
      expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    }),
  });
  const FailureType = builder.objectRef<Failure>('TaskFailure').implement({
    fields: (t) => ({
      code: t.exposeString('code'),
      message: t.exposeString('message'),
      providerCode: t.exposeString('providerCode', { nullable: true }),
      retryable: t.exposeBoolean('retryable'),
    }),
  });
  return builder.objectRef<Task>('Task').implement({
    fields: (t) => ({
      id: t.exposeID('id'),
      state: t.exposeString('state'),
      model: t.exposeString('model'),
      prompt: t.exposeString('prompt'),
      imageUrl: t.exposeString('imageUrl'),
      endImageUrl: t.exposeString('endImageUrl', { nullable: true }),
      promptOptimizer: t.exposeBoolean('promptOptimizer', { nullable: true }),
      videos: t.expose('videos', { type: [VideoType] }),
      failure: t.expose('failure', { type: FailureType, nullable: true }),
      providerTaskId: t.exposeString('providerTaskId', { nullable: true }),
      creditsConsumed: t.exposeFloat('creditsConsumed', { nullable: true }),
      revision: t.expose('revision', { type: 'SafeInt' }),
      createdAt: t.expose('createdAt', { type: 'DateTime' }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
      completedAt: t.expose('completedAt', { type: 'DateTime', nullable: true }),
    }),
  });
}

function mutation(
  builder: Builder,
  TaskType: ReturnType<typeof taskType>,
  create: (input: TaskInput) => Task,
): void {
  const Input = builder.inputType('CreateImageToVideoInput', {
    fields: (t) => ({
      prompt: t.string({ required: true }),
      imageUrl: t.string({ required: true }),
      endImageUrl: t.string(),
      promptOptimizer: t.boolean(),
      idempotencyKey: t.string(),
    }),
  });
  const Success = builder.objectRef<{ readonly task: Task }>('CreateImageToVideoSuccess').implement({
    fields: (t) => ({ task: t.expose('task', { type: TaskType }) }),
  });
  const Result = builder.unionType('CreateImageToVideoResult', {
    types: [Success],
    resolveType: () => Success,
  });
  builder.mutationType({
    fields: (t) => ({
      createImageToVideo: t.field({
        type: Result,
        args: { input: t.arg({ type: Input, required: true }) },
        resolve: (_root, { input }) => ({ task: create(input) }),
      }),
    }),
  });
}
