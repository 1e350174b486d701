import type { Model } from '../models/define-model.ts';
import type { EstimateResult } from '../tasks/estimate.ts';
import type { ModelStatus } from '../tasks/recent-tasks.ts';
import type { Task, TaskState } from '../tasks/task.ts';
import type { CreateInput } from '../tasks/validate-input.ts';
import type { Context } from './context.ts';
import { MAX_PAGE, type TaskPage } from '../tasks/list.ts';

export function task(id: string, { viewer, tasks }: Context): Promise<Task | null> {
  return tasks.find(viewer.owner, id);
}

interface TasksArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly states?: readonly TaskState[] | null | undefined;
}

export const DEFAULT_FIRST = 20;

export function tasks(args: TasksArgs, context: Context): Promise<TaskPage> {
  const first = args.first ?? DEFAULT_FIRST;
  // A larger `first` gets its own error.
  context.takeItems(Math.min(first, MAX_PAGE));
  return context.tasks.list(context.viewer.owner, {
    first,
    after: args.after ?? null,
    states: args.states ?? [],
  });
}

/** null in events: the position changes without an event of the task. */
export function queuePosition(
  task: Task,
  context: Context,
  { isEvent }: { readonly isEvent: boolean },
): Promise<number | null> | null {
  return isEvent ? null : context.tasks.queuePosition(task);
}

export function creditsRemaining({ viewer, tasks }: Context): Promise<number | null> {
  return viewer.maySeeCredits ? tasks.credits() : Promise.resolve(null);
}

export function models({ tasks }: Context): readonly Model[] {
  return tasks.models;
}

/** AVAILABLE in events: the status changes without an event of the task. */
export function modelStatus(
  name: string,
  context: Context,
  { isEvent }: { readonly isEvent: boolean },
): Promise<ModelStatus> | ModelStatus {
  return isEvent ? 'AVAILABLE' : context.tasks.modelStatus(name);
}

export function estimateImageToVideo(
  input: CreateInput,
  { viewer, tasks }: Context,
): Promise<EstimateResult> {
  return tasks.estimate(viewer.owner, input);
}
