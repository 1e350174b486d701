import type { TaskQueries } from '../tasks/tasks.ts';

/** Who asks. */
export interface Viewer {
  /** Whose tasks the caller sees, and under whose name new ones are made. */
  readonly owner: string;
  /** Whether the balance of the operator's account is the caller's business. */
  readonly maySeeCredits: boolean;
}

/** What every resolver works with. */
export interface Context {
  readonly viewer: Viewer;
  /** Names the request, or the socket that it came over, in the log. */
  readonly reqId: string;
  readonly tasks: TaskQueries;
  /** Every list calls it with its `first`. Throws when the lists of the operation ask for too many items together. */
  readonly takeItems: (first: number) => void;
}
