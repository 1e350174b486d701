import type { TaskSubscription } from '../tasks/subscriptions/subscription.ts';
import type { Context } from './context.ts';

interface TaskUpdatedArgs {
  readonly id: string;
  readonly after?: number | null | undefined;
}

export function taskUpdated(
  { after, id }: TaskUpdatedArgs,
  { caller, tasks }: Context,
): Promise<TaskSubscription> {
  return tasks.watchOne(caller.owner, id, after ?? null);
}

export function tasksUpdated(
  after: number | null | undefined,
  { caller, tasks }: Context,
): Promise<TaskSubscription> {
  return tasks.watchAll(caller.owner, after ?? null);
}
