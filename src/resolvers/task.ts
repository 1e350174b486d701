import type { Task } from '../tasks/task.ts';
import type { Context } from './context.ts';

export function task(id: string, { caller, tasks }: Context): Promise<Task | null> {
  return tasks.find(caller.owner, id);
}
