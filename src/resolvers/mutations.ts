import type { CreateResult } from '../tasks/create.ts';
import type { CreateInput } from '../tasks/validate-input.ts';
import type { Context } from './context.ts';
import type { CancelResult } from '../tasks/cancel.ts';

export function createImageToVideo(
  input: CreateInput,
  { viewer, reqId, tasks }: Context,
): Promise<CreateResult> {
  return tasks.create(viewer.owner, input, reqId);
}

export function cancelTask(id: string, { viewer, tasks }: Context): Promise<CancelResult> {
  return tasks.cancel(viewer.owner, id);
}
