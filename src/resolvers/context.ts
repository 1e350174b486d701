import type { TaskQueries } from '../tasks/tasks.ts';

/** Who asks. */
export interface Caller {
  /** Whose tasks the caller sees, and under whose name new ones are made. */
  readonly owner: string;
}

/** What every resolver works with. */
export interface Context {
  readonly caller: Caller;
  readonly tasks: TaskQueries;
}
