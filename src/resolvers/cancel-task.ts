import type { CancelResult } from '../tasks/cancel-task.ts';
import type { Context } from './context.ts';

export function cancelTask(id: string, { caller, tasks }: Context): Promise<CancelResult> {
  return tasks.cancel(caller.owner, id);
}
