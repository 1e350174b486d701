import type { Watch } from '../tasks/watch.ts';
import type { Context } from './context.ts';

export function tasksUpdated(after: number | null | undefined, { caller, tasks }: Context): Promise<Watch> {
  return tasks.watchAll(caller.owner, after ?? null);
}
