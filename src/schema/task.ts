import type { TaskState, Task, Video, TimelineEntry, UpdateSource } from '../tasks/task.ts';
import { builder, enumValues } from './builder.ts';
import { type ProviderErrorCode, isRetryable, type TaskFailure } from '../tasks/failure.ts';
import { OperationTypeNode } from 'graphql';
import { queuePosition } from '../resolvers/queries.ts';

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

export const ProviderErrorCodeEnum = builder.enumType('ProviderErrorCode', {
  description:
    'Everything that the provider can refuse or fail with, in one vocabulary; the numbers are its own codes.',
  values: enumValues<ProviderErrorCode>({
    UNAUTHORIZED: "401: the gateway's key is missing, wrong or not allowed. The operator must mend it.",
    INSUFFICIENT_CREDITS: "402: the operator's account has too few credits.",
    NOT_FOUND: '404: the provider does not know what was asked for.',
    PROVIDER_TIMEOUT: '408: the provider got no result in time.',
    INVALID_INPUT: '400 or 422: the provider rejected the input; change it before you try again.',
    RATE_LIMITED: '429: too many requests, or too many tasks wait here already. Try again later.',
    QUOTA_EXCEEDED: "433: the key's spending limit is reached.",
    MAINTENANCE: '455: the provider is under maintenance. Try again later.',
    SERVER_ERROR: '500: something went wrong at the provider.',
    GENERATION_FAILED: '501 or 531: the generation failed and is not charged. Trying again may help.',
    FEATURE_DISABLED: '505: the provider has switched this model off.',
    UNREACHABLE: 'No connection to the provider could be made. Try again later.',
    SUBMISSION_UNKNOWN:
      'The answer to the create call was lost and no callback came: it may have been charged. Look at the ' +
      "provider's log before you try again.",
    EXPIRED: 'No final state came within the deadline. The video may still come, and may have been charged.',
    CANCELLED: 'Cancelled by `cancelTask` before it was sent: nothing was charged.',
    UNKNOWN: 'Anything else; `providerCode` and `message` carry what the provider said.',
  }),
});

/** A failure, and what its task cost. */
type FailedTask = TaskFailure & Pick<Task, 'creditsConsumed'>;

const TaskFailureType = builder.objectRef<FailedTask>('TaskFailure').implement({
  description: 'Why a task ended without a video.',
  fields: (t) => ({
    code: t.field({
      type: ProviderErrorCodeEnum,
      description: 'The reason, for programs.',
      resolve: (failure) => failure.code,
    }),
    providerCode: t.exposeString('providerCode', {
      nullable: true,
      description: 'The raw code from the provider, when there is one.',
    }),
    message: t.exposeString('message', {
      description: "The reason, for people; in the provider's words where it gave any.",
    }),
    retryable: t.boolean({
      description:
        'Whether the same input may succeed later while nothing was charged for this attempt. False where a new ' +
        'attempt might pay twice.',
      resolve: ({ code, creditsConsumed }) => isRetryable(code, creditsConsumed),
    }),
  }),
});

const UpdateSourceEnum = builder.enumType('UpdateSource', {
  description: 'Who told of a change of a task.',
  values: enumValues<UpdateSource>({
    GATEWAY: 'Nobody: Kineograph took the task, cancelled it, or ended it when its time was over.',
    CREATE_ANSWER: "The provider, in its answer to the task's create call.",
    CALLBACK: 'The provider, in a callback.',
    QUERY: 'The provider, when it was asked about the task.',
  }),
});

const TimelineEntryType = builder.objectRef<TimelineEntry>('TimelineEntry').implement({
  description: 'A state that a task came to.',
  fields: (t) => ({
    state: t.expose('state', { type: TaskStateEnum, description: 'The state.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When Kineograph heard of it.' }),
    source: t.expose('source', { type: UpdateSourceEnum, description: 'Who told of it.' }),
  }),
});

export const VideoType = builder.objectRef<Video>('Video').implement({
  description: 'A generated video, kept by the provider for a limited time.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Where to play or download it.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the provider may delete it: download it before. 24 hours after completion.',
    }),
  }),
});

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
