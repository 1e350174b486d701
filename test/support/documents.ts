import type { ApiCancelResult, ApiCreateResult, ApiTask, ApiTaskConnection } from './api-types.ts';
import type { Document } from './graphql-result.ts';

const TASK_FIELDS = /* GraphQL */ `
  fragment TaskFields on Task {
    id
    state
    model
    prompt
    imageUrl
    endImageUrl
    promptOptimizer
    videos {
      url
      expiresAt
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
  }
`;

/** Variables: `input`. */
export const CREATE: Document<{ readonly createImageToVideo: ApiCreateResult }> = /* GraphQL */ `
  mutation Create($input: CreateImageToVideoInput!) {
    createImageToVideo(input: $input) {
      __typename
      ... on CreateImageToVideoSuccess {
        task {
          ...TaskFields
        }
      }
      ... on ValidationError {
        message
        issues {
          path
          code
          message
        }
      }
      ... on ProviderError {
        message
        code
        providerCode
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
  ${TASK_FIELDS}
`;

/** Variables: `id`. */
export const CANCEL: Document<{ readonly cancelTask: ApiCancelResult }> = /* GraphQL */ `
  mutation Cancel($id: ID!) {
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
  ${TASK_FIELDS}
`;

/** Variables: `id`. */
export const TASK: Document<{ readonly task: ApiTask | null }> = /* GraphQL */ `
  query Task($id: ID!) {
    task(id: $id) {
      ...TaskFields
    }
  }
  ${TASK_FIELDS}
`;

/** Variables, all optional: `first`, `after`, `states`. */
export const TASKS: Document<{ readonly tasks: ApiTaskConnection }> = /* GraphQL */ `
  query Tasks($first: Int, $after: String, $states: [TaskState!]) {
    tasks(first: $first, after: $after, states: $states) {
      edges {
        cursor
        node {
          ...TaskFields
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
      revision
    }
  }
  ${TASK_FIELDS}
`;

/** Variables: `id`, and optionally `after`. */
export const TASK_UPDATED: Document<{ readonly taskUpdated: ApiTask }> = /* GraphQL */ `
  subscription TaskUpdated($id: ID!, $after: SafeInt) {
    taskUpdated(id: $id, after: $after) {
      ...TaskFields
    }
  }
  ${TASK_FIELDS}
`;

/** Variables, optional: `after`. */
export const TASKS_UPDATED: Document<{ readonly tasksUpdated: ApiTask }> = /* GraphQL */ `
  subscription TasksUpdated($after: SafeInt) {
    tasksUpdated(after: $after) {
      ...TaskFields
    }
  }
  ${TASK_FIELDS}
`;

export const ACCOUNT: Document<{ readonly account: { readonly creditsRemaining: number | null } }> =
  /* GraphQL */ `
    query Account {
      account {
        creditsRemaining
      }
    }
  `;

type InputField = 'prompt' | 'imageUrl' | 'endImageUrl' | 'promptOptimizer' | 'idempotencyKey';

/** A valid CreateImageToVideoInput, the required fields only; a test breaks or adds what it is about. */
export function input(
  overrides: Partial<Record<InputField, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    prompt: 'slow push-in, snow falling',
    imageUrl: 'https://files.example/first.png',
    ...overrides,
  };
}
