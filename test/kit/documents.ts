import type { Document } from './graphql.ts';

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

type InputField =
  | 'prompt'
  | 'imageUrl'
  | 'endImageUrl'
  | 'promptOptimizer'
  | 'idempotencyKey'
  | 'model'
  | 'durationSeconds'
  | 'resolution'
  | 'sound'
  | 'negativePrompt'
  | 'seed';

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

/** The API as the documents of the tests select it: what a client sees, written out by hand. */

export type TaskState = 'SUBMITTING' | 'WAITING' | 'QUEUING' | 'GENERATING' | 'SUCCESS' | 'FAIL';

export interface ApiTask {
  readonly id: string;
  readonly state: TaskState;
  readonly model: string;
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl: string | null;
  readonly promptOptimizer: boolean | null;
  readonly videos: readonly { readonly url: string; readonly expiresAt: string | null }[];
  readonly failure: ApiTaskFailure | null;
  readonly providerTaskId: string | null;
  readonly creditsConsumed: number | null;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly completedAt: string | null;
}

interface ApiTaskFailure {
  readonly code: string;
  readonly providerCode: string | null;
  readonly message: string;
  readonly retryable: boolean;
}

export interface ApiTaskConnection {
  readonly edges: readonly { readonly cursor: string; readonly node: ApiTask }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly revision: number;
}

/** The members of the mutation's union, told apart by `__typename`. */
export type ApiCreateResult =
  | { readonly __typename: 'CreateImageToVideoSuccess'; readonly task: ApiTask }
  | {
      readonly __typename: 'ValidationError';
      readonly message: string;
      readonly issues: readonly {
        readonly path: readonly string[];
        readonly code: string;
        readonly message: string;
      }[];
    }
  | ({ readonly __typename: 'ProviderError' } & ApiTaskFailure)
  | { readonly __typename: 'IdempotencyConflictError'; readonly message: string; readonly task: ApiTask };

/** The members of cancelTask's union, told apart by `__typename`. */
export type ApiCancelResult =
  | { readonly __typename: 'CancelTaskSuccess'; readonly task: ApiTask }
  | {
      readonly __typename: 'CannotCancelError';
      readonly message: string;
      readonly reason: string;
      readonly task: ApiTask;
    };
