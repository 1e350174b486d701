import type { TaskState, Task, TimelineEntry, UpdateSource } from '../tasks/task.ts';
import { builder, enumValues } from './builder.ts';
import { type ProviderErrorCode, isRetryable, type TaskFailure } from '../tasks/failure.ts';
import { type GraphQLResolveInfo, OperationTypeNode } from 'graphql';
import { queuePosition } from '../resolvers/queries.ts';
import { videosOf } from '../resolvers/videos.ts';
import { VideoType } from './video.ts';

export const TaskStateEnum = builder.enumType('TaskState', {
  description: 'The progress of a task. A task only moves forward and may skip states.',
  values: enumValues<TaskState>({
    SUBMITTING:
      "Stored by Kineograph. It waits for the provider's rate limit, or for the provider to accept it.",
    WAITING: 'Accepted by the provider. Generation has not started.',
    QUEUING: "In the provider's queue.",
    GENERATING: 'The provider is generating the video.',
    SUCCESS: 'Completed: `videos` has the result. Final.',
    FAIL: "Failed: `failure` has the reason. Final, except that the provider's actual result replaces `EXPIRED` and `SUBMISSION_UNKNOWN` if it arrives later.",
  }),
});

export const ProviderErrorCodeEnum = builder.enumType('ProviderErrorCode', {
  description: "Reasons for a rejection or a failure. The numbers are the provider's codes.",
  values: enumValues<ProviderErrorCode>({
    UNAUTHORIZED:
      "401: the gateway's provider key is missing, wrong or not allowed. The operator must fix it.",
    INSUFFICIENT_CREDITS: "402: the operator's account has too few credits.",
    NOT_FOUND: '404: the provider does not know the requested resource.',
    PROVIDER_TIMEOUT: '408: the generation timed out at the provider.',
    INVALID_INPUT: '400 or 422: the provider rejected the input. Change it before you retry.',
    RATE_LIMITED: '429: too many requests, or too many tasks are waiting in this gateway. Retry later.',
    QUOTA_EXCEEDED: "433: the key's spending limit is reached.",
    MAINTENANCE: '455: the provider is under maintenance. Retry later.',
    SERVER_ERROR: '500: internal error of the provider.',
    GENERATION_FAILED: '501 or 531: the generation failed. It is not charged, and a retry can succeed.',
    FEATURE_DISABLED: '505: the provider has disabled the default model.',
    MODEL_UNAVAILABLE:
      'This gateway or the provider does not offer the model. Nothing was stored, sent or charged: query `models` and take another one.',
    UNREACHABLE: 'The provider could not be reached. Retry later.',
    SUBMISSION_UNKNOWN:
      "The response to the create call was lost and no callback arrived, so the task may have been charged. Check the provider's log before you retry.",
    EXPIRED:
      'No final state arrived before the deadline. The video may still arrive, and may have been charged.',
    CANCELLED: 'Cancelled by `cancelTask` before it was sent. Nothing was charged.',
    UNKNOWN: 'Any other reason. See `providerCode` and `message`.',
  }),
});

/** A failure, and what its task cost. */
type FailedTask = TaskFailure & Pick<Task, 'creditsConsumed'>;

const TaskFailureType = builder.objectRef<FailedTask>('TaskFailure').implement({
  description: 'Why a task failed.',
  fields: (t) => ({
    code: t.field({
      type: ProviderErrorCodeEnum,
      description: 'The reason, as a code.',
      resolve: (failure) => failure.code,
    }),
    providerCode: t.exposeString('providerCode', {
      nullable: true,
      description: "The provider's raw code, if it sent one.",
    }),
    message: t.exposeString('message', {
      description: "The reason, as text: the provider's message if it sent one.",
    }),
    retryable: t.boolean({
      description:
        'Whether a retry with the same input can succeed without paying twice. False when this attempt was charged or may have been.',
      resolve: ({ code, creditsConsumed }) => isRetryable(code, creditsConsumed),
    }),
  }),
});

const UpdateSourceEnum = builder.enumType('UpdateSource', {
  description: 'Where a change of a task was reported.',
  values: enumValues<UpdateSource>({
    GATEWAY: 'Kineograph itself: it stored or cancelled the task, or its deadline passed.',
    CREATE_ANSWER: "In the provider's response to the create call.",
    CALLBACK: 'In a callback from the provider.',
    QUERY: "In the provider's response to a poll.",
  }),
});

const TimelineEntryType = builder.objectRef<TimelineEntry>('TimelineEntry').implement({
  description: 'A state that a task reached.',
  fields: (t) => ({
    state: t.expose('state', { type: TaskStateEnum, description: 'The state.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When Kineograph received it.' }),
    source: t.expose('source', { type: UpdateSourceEnum, description: 'Where it was reported.' }),
  }),
});

export const TaskType = builder.objectRef<Task>('Task').implement({
  description: 'A request for one video: its input, its progress and its result.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Assigned by Kineograph. Never changes.' }),
    state: t.expose('state', { type: TaskStateEnum, description: 'The progress of the task.' }),
    model: t.exposeString('model', { description: "The provider's name for the model." }),
    prompt: t.string({
      description: 'The prompt as it was given.',
      resolve: ({ prompt }, _args, { takeText }, info) => {
        // An event has one task, and all events of a subscription have one context.
        if (!isEvent(info)) takeText(prompt);
        return prompt;
      },
    }),
    imageUrl: t.exposeString('imageUrl', { description: 'URL of the first frame.' }),
    endImageUrl: t.exposeString('endImageUrl', {
      nullable: true,
      description: 'URL of the last frame, if one was given.',
    }),
    promptOptimizer: t.exposeBoolean('promptOptimizer', {
      nullable: true,
      description: 'Whether the provider may rewrite the prompt. null when the provider decides.',
    }),
    videos: t.field({
      type: [VideoType],
      description: 'The generated videos. Empty until the state is SUCCESS.',
      resolve: videosOf,
    }),
    failure: t.field({
      type: TaskFailureType,
      nullable: true,
      description: 'Why the task failed. null unless the state is FAIL.',
      resolve: ({ creditsConsumed, failure }) => failure && { ...failure, creditsConsumed },
    }),
    providerTaskId: t.exposeString('providerTaskId', {
      nullable: true,
      description: "The provider's id for the task. null until it is known.",
    }),
    creditsConsumed: t.exposeFloat('creditsConsumed', {
      nullable: true,
      description: 'Credits that the provider charged. null when it reports none.',
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description:
        'Increases with every change of any task. Keep the state with the larger revision, because the response to a query or mutation may arrive after a newer event.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When Kineograph stored the task.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When the state last changed.' }),
    completedAt: t.expose('completedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the task reached SUCCESS or FAIL. null before.',
    }),
  }),
});

/** Whether a field is resolved for an event. There it may depend on the change alone, and resolve to no promise. */
export function isEvent({ operation }: GraphQLResolveInfo): boolean {
  return operation.operation === OperationTypeNode.SUBSCRIPTION;
}

/** How far a task is, and how it came there. */
builder.objectFields(TaskType, (t) => ({
  expectedAt: t.expose('expectedAt', {
    type: 'DateTime',
    nullable: true,
    description:
      "When the video is expected, from the median of the newest 100 durations of the same model and options, as of the task's last change. null before the provider accepts the task, after it has completed, and until this gateway has completed five such videos.",
  }),
  queuePosition: t.int({
    nullable: true,
    description:
      "Position in this gateway's queue of tasks that wait for the provider's rate limit. 1 is sent next. null once the task was sent, and in subscription events, because it changes without a change of this task: query it.",
    resolve: (task, _args, context, info) => queuePosition(task, context, { isEvent: isEvent(info) }),
  }),
  timeline: t.expose('timeline', {
    type: [TimelineEntryType],
    description:
      'The states that the task reached, in order, a dozen at most. Empty for tasks from before Kineograph recorded them.',
  }),
}));
