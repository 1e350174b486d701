import type { TaskQueries } from '../tasks/tasks.ts';

/** What resolvers know of the principal. */
interface Viewer {
  /** Owner of the tasks that the viewer sees and creates. */
  readonly owner: string;
  /** Whether the viewer may see the balance of the provider account. */
  readonly maySeeCredits: boolean;
}

/** The context of every resolver. */
export interface Context {
  readonly viewer: Viewer;
  /** Identifies the request or socket in the log. */
  readonly reqId: string;
  readonly tasks: TaskQueries;
  /** Every list calls it with its `first`. Throws if the lists of the operation request too many items in total. */
  readonly takeItems: (first: number) => void;
  /** Every long text of a response calls it. Throws if those of the operation are too long in total. */
  readonly takeText: (text: string) => void;
}
