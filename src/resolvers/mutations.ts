import type { CreateResult } from '../tasks/create.ts';
import type { CreateInput } from '../tasks/validate-input.ts';
import type { Context } from './context.ts';
import type { CancelResult } from '../tasks/cancel.ts';

export function createImageToVideo(
  input: CreateInput,
  { caller, reqId, tasks }: Context,
): Promise<CreateResult> {
  return tasks.create(caller.owner, input, reqId);
}

export function cancelTask(id: string, { caller, tasks }: Context): Promise<CancelResult> {
  return tasks.cancel(caller.owner, id);
}
