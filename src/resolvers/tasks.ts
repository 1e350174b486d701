import { MAX_PAGE, type TaskPage } from '../tasks/list-tasks.ts';
import type { TaskState } from '../tasks/task.ts';
import type { Context } from './context.ts';

export interface TasksArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly states?: readonly TaskState[] | null | undefined;
}

export const DEFAULT_FIRST = 20;

export function tasks(args: TasksArgs, context: Context): Promise<TaskPage> {
  const first = args.first ?? DEFAULT_FIRST;
  // What is larger is refused for that.
  context.takeItems(Math.min(first, MAX_PAGE));
  return context.tasks.list(context.caller.owner, {
    first,
    after: args.after ?? null,
    states: args.states ?? [],
  });
}
