import type { FragmentOf, ResultOf, VariablesOf } from 'gql.tada';
import { graphql } from './graphql.ts';

/** All that the page shows of a task. */
export const TaskFields = graphql(`
  fragment TaskFields on Task {
    id
    state
    model
    prompt
    imageUrl
    endImageUrl
    promptOptimizer
    modelInfo {
      title
    }
    options {
      durationSeconds
      resolution
      sound
      negativePrompt
      seed
    }
    videos {
      url
      sourceUrl
      expiresAt
      archive {
        state
        bytes
        message
        storedAt
        width
        height
        durationSeconds
      }
    }
    failure {
      code
      providerCode
      message
      retryable
    }
    providerTaskId
    creditsConsumed
    revision
    createdAt
    updatedAt
    completedAt
    expectedAt
    timeline {
      state
      at
      source
    }
  }
`);

export type Task = FragmentOf<typeof TaskFields>;
export type TaskState = Task['state'];
export type Video = Task['videos'][number];
export type FailureCode = NonNullable<Task['failure']>['code'];

export const TasksQuery = graphql(
  `
    query Tasks($first: Int!, $after: String, $states: [TaskState!]) {
      tasks(first: $first, after: $after, states: $states) {
        revision
        edges {
          node {
            ...TaskFields
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  `,
  [TaskFields],
);

export const TaskQuery = graphql(
  `
    query Task($id: ID!) {
      task(id: $id) {
        ...TaskFields
        queuePosition
      }
    }
  `,
  [TaskFields],
);

export const AccountQuery = graphql(`
  query Account {
    account {
      creditsRemaining
    }
  }
`);

export const ModelsQuery = graphql(`
  query Models {
    models {
      id
      name
      title
      promptMinLength
      promptMaxLength
      lastImage
      durations
      defaultDuration
      resolutions
      defaultResolution
      sound
      negativePrompt
      seed
      promptOptimizer
      image {
        mediaTypes
        maxBytes
        minSide
        maxSide
        maxRatio
      }
    }
  }
`);

export type Model = ResultOf<typeof ModelsQuery>['models'][number];

export const EstimateQuery = graphql(`
  query Estimate($input: CreateImageToVideoInput!) {
    estimateImageToVideo(input: $input) {
      __typename
      ... on ImageToVideoEstimate {
        credits
        expectedSeconds
      }
    }
  }
`);

export const TasksUpdated = graphql(
  `
    subscription TasksUpdated($after: SafeInt) {
      tasksUpdated(after: $after) {
        ...TaskFields
      }
    }
  `,
  [TaskFields],
);

export const CreateTask = graphql(
  `
    mutation CreateTask($input: CreateImageToVideoInput!) {
      createImageToVideo(input: $input) {
        __typename
        ... on CreateImageToVideoSuccess {
          task {
            ...TaskFields
          }
        }
        ... on ValidationError {
          issues {
            path
            code
            message
          }
        }
        ... on ProviderError {
          code
          providerCode
          message
          retryable
        }
        ... on IdempotencyConflictError {
          message
          task {
            ...TaskFields
          }
        }
      }
    }
  `,
  [TaskFields],
);

export type CreateInput = VariablesOf<typeof CreateTask>['input'];
export type CreateResult = ResultOf<typeof CreateTask>['createImageToVideo'];
export type Issue = Extract<CreateResult, { __typename: 'ValidationError' }>['issues'][number];

export const CancelTask = graphql(
  `
    mutation CancelTask($id: ID!) {
      cancelTask(id: $id) {
        __typename
        ... on CancelTaskSuccess {
          task {
            ...TaskFields
          }
        }
        ... on CannotCancelError {
          message
          reason
          task {
            ...TaskFields
          }
        }
      }
    }
  `,
  [TaskFields],
);

/** In the order in which a task moves through them. */
export const TASK_STATES = [
  'SUBMITTING',
  'WAITING',
  'QUEUING',
  'GENERATING',
  'SUCCESS',
  'FAIL',
] as const satisfies readonly TaskState[];

export function isOver({ state }: Pick<Task, 'state'>): boolean {
  return state === 'SUCCESS' || state === 'FAIL';
}
