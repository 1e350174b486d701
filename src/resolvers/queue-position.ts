import type { Task } from '../tasks/task.ts';
import type { Context } from './context.ts';

/** An event shows what changed of a task, and the queue is made of other people's. */
export function queuePosition(
  task: Task,
  context: Context,
  { isEvent }: { readonly isEvent: boolean },
): Promise<number | null> | null {
  return isEvent ? null : context.tasks.queuePosition(task);
}
