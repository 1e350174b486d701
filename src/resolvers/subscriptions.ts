import type { Watch } from '../tasks/subscriptions/subscription.ts';
import type { Context } from './context.ts';

export interface TaskUpdatedArgs {
  readonly id: string;
  readonly after?: number | null | undefined;
}

export function taskUpdated({ after, id }: TaskUpdatedArgs, { caller, tasks }: Context): Promise<Watch> {
  return tasks.watchOne(caller.owner, id, after ?? null);
}

export function tasksUpdated(after: number | null | undefined, { caller, tasks }: Context): Promise<Watch> {
  return tasks.watchAll(caller.owner, after ?? null);
}
