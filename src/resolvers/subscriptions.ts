import type { TaskSubscription } from '../tasks/subscriptions/subscription.ts';
import type { Context } from './context.ts';

interface TaskUpdatedArgs {
  readonly id: string;
  readonly after?: number | null | undefined;
}

export function taskUpdated(
  { after, id }: TaskUpdatedArgs,
  { viewer, tasks }: Context,
): Promise<TaskSubscription> {
  return tasks.watchOne(viewer.owner, id, after ?? null);
}

export function tasksUpdated(
  after: number | null | undefined,
  { viewer, tasks }: Context,
): Promise<TaskSubscription> {
  return tasks.watchAll(viewer.owner, after ?? null);
}
