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

export interface ApiTaskFailure {
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
