import type { CreateResult } from '../tasks/create-task.ts';
import type { CreateInput } from '../tasks/validate-input.ts';
import type { Context } from './context.ts';

export function createImageToVideo(
  input: CreateInput,
  { caller, reqId, tasks }: Context,
): Promise<CreateResult> {
  return tasks.create(caller.owner, input, reqId);
}
