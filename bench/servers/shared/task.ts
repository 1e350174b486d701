/** A task of the contract, as the peers keep it in memory. */
export interface Task {
  readonly id: string;
  readonly state: string;
  readonly model: string;
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl: string | null;
  readonly promptOptimizer: boolean | null;
  readonly videos: readonly Video[];
  readonly failure: Failure | null;
  readonly providerTaskId: string | null;
  readonly creditsConsumed: number | null;
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly completedAt: number | null;
}

export interface Video {
  readonly url: string;
  readonly expiresAt: number | null;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly providerCode: string | null;
  readonly retryable: boolean;
}

export interface TaskInput {
  readonly prompt: string;
  readonly imageUrl: string;
  readonly endImageUrl?: string | null | undefined;
  readonly promptOptimizer?: boolean | null | undefined;
}
